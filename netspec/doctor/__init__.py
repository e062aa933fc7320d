"""`doctor`: what of this machine netspec can use, what stands in its way, and the command that mends it."""

from netspec.doctor.findings import Finding, examine, healthy, to_json, to_table

__all__ = ["Finding", "examine", "healthy", "to_json", "to_table"]
