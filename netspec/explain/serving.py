"""The pages of what goes wrong when a network is put to work: sampling, scoring, deployment."""

from netspec.explain.page import Page

PAGES = {
    "equal-samples": Page(
        "`run --samples` found nothing to average",
        "All runs gave the same numbers, so their deviation says nothing of how certain the network is. "
        "Either it has no dropout, or it was compiled without `--mc-dropout`, which keeps it on at inference.",
    ),
}
