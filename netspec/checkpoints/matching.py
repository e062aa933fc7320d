"""Which tensor of a file is which of a network: by name, or by order and shape. Nothing is guessed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Any, NamedTuple

from netspec.checkpoints.tensors import Checkpoint, Place, Tensor, columns, dims, widened
from netspec.diagnostics import Diagnostic, SpecError, did_you_mean
from netspec.ir import Graph
from netspec.weights import Array

_ROLES = {
    "weight": "weight",
    "kernel": "weight",
    "gamma": "weight",
    "bias": "bias",
    "beta": "bias",
    "running_mean": "mean",
    "moving_mean": "mean",
    "running_var": "variance",
    "moving_variance": "variance",
}
"""What the last word of a name says that a tensor is, in PyTorch's words and Keras's."""

_LISTED = 8
"""So many names of a group that cannot be told apart are written out."""


class Match(NamedTuple):
    """A tensor and its place; `by` says how they were found to belong together."""

    tensor: Tensor
    place: Place
    by: str


class Matched(NamedTuple):
    """A network's weights, in its order and in canonical layouts, and how they were found."""

    weights: dict[str, Array]
    matches: Sequence[Match]


def match_names(
    file: Checkpoint, graph: Graph, *, fixed: Container[str] = (), **how: Any
) -> Matched:
    """What `match` finds in a file of canonical layouts; `fixed` tensors are zero in a network that has them."""
    places = [Place(name, weight.shape, (name,)) for name, weight in graph.weights()]
    tensors = [t for t in file.tensors if not (t.name in fixed and not t.array.any())]
    matches = match(tensors, places, file.path, ordered=file.ordered, **how)
    return Matched({each.place.name: widened(each.tensor.array) for each in matches}, matches)


def match(
    tensors: Sequence[Tensor],
    places: Sequence[Place],
    origin: str,
    *,
    by_order: bool = False,
    ordered: bool = True,
    ignore: Sequence[str] = (),
) -> list[Match]:
    """Every place with its tensor, in the order of the places.

    By order, where the tensors are `ordered`: all shapes must follow each other alike, or else be all different.
    Tensors whose names fit a pattern of `ignore` (as in a shell) are left out. Raises one `SpecError` that lists
    whatever is missing, left over, of another shape, or, by order, not to be told apart.
    """
    kept = [each for each in tensors if not any(fnmatchcase(each.name, p) for p in ignore)]
    found = _by_order(kept, places, origin, ordered) if by_order else _by_name(kept, places, origin)
    rank = {place: number for number, place in enumerate(places)}
    return sorted(found, key=lambda each: rank[each.place])


def table(matches: Iterable[Match]) -> str:
    """The report: what each tensor of the file became."""
    rows = [
        [
            tensor.name,
            dims(tensor.shape),
            ", ".join(place.weights),
            f"{by}, {tensor.note}" if tensor.note else by,
        ]
        for tensor, place, by in matches
    ]
    return "\n".join(columns(["tensor", "shape", "weight", "by"], rows))


def _by_name(tensors: Sequence[Tensor], places: Sequence[Place], origin: str) -> list[Match]:
    named, prefix = _without_prefix(tensors, {place.name for place in places})
    wanted = {place.name: place for place in places}
    by = f"name without `{prefix}`" if prefix else "name"
    found: list[Match] = []
    mistakes: list[Diagnostic] = []
    left = [name for name in named if name not in wanted]
    for name, place in wanted.items():
        if name not in named:
            message = f"{origin} lacks `{name}` ({dims(place.shape)}){_meaning(place)}"
            mistakes.append(
                Diagnostic("missing-weight", message, help=_similar(name, left, named, origin))
            )
        elif (tensor := named[name]).shape != place.shape:
            message = f"`{name}`{_meaning(place)} is {dims(tensor.shape)} in {origin}, not {dims(place.shape)}"
            mistakes.append(
                Diagnostic("misshapen-weight", message, help=_turned(tensor.shape, place.shape))
            )
        elif tensor.array.dtype.kind != "f":
            mistakes.append(_no_floats(tensor, origin))
        else:
            found.append(Match(tensor, place, by))
    absent = [name for name in wanted if name not in named]
    for name in left:
        message = f"{origin} holds `{named[name].name}`, which the network does not have"
        mistakes.append(Diagnostic("extra-weight", message, help=did_you_mean(name, absent)))
    if mistakes:
        raise SpecError(*mistakes)
    return found


def _meaning(place: Place) -> str:
    """What a name of the format's own stands for."""
    return "" if place.weights == (place.name,) else f" for {_names(place.weights)}"


def _without_prefix(tensors: Sequence[Tensor], wanted: set[str]) -> tuple[dict[str, Tensor], str]:
    """The tensors by name, without what wrappers such as `module.` put in front of all of them, where that helps."""
    named, prefix = {each.name: each for each in tensors}, ""
    best = (named, prefix)
    while named:
        first = {name.partition(".")[0] for name in named}
        if len(first) > 1 or not all("." in name for name in named):
            break
        prefix += f"{first.pop()}."
        named = {name.partition(".")[2]: tensor for name, tensor in named.items()}
        if len(named.keys() & wanted) > len(best[0].keys() & wanted):
            best = (named, prefix)
    return best


def _similar(name: str, left: Sequence[str], named: Iterable[str], origin: str) -> str | None:
    close = did_you_mean(name, left)
    if close is not None:
        return f"it holds {close.removeprefix('did you mean ').removesuffix('?')}"
    if left and len(left) == len(list(named)):
        return f"no name of {origin} is the network's: `--by-order` goes by order and shape"
    return None


def _turned(shape: tuple[int, ...], wanted: tuple[int, ...]) -> str | None:
    if len(shape) > 1 and sorted(shape) == sorted(wanted):
        return "the same sizes in another order: is the file of another framework?"
    return None


def _no_floats(tensor: Tensor, origin: str) -> Diagnostic:
    message = f"`{tensor.name}` holds {tensor.array.dtype} in {origin}, not floats"
    return Diagnostic("non-float-weight", message)


def _by_order(
    tensors: Sequence[Tensor], places: Sequence[Place], origin: str, ordered: bool
) -> list[Match]:
    floats = [each for each in tensors if each.array.dtype.kind == "f"]
    grouped = any(each.group for each in floats)
    theirs: dict[str, list[Tensor]] = defaultdict(list)
    mine: dict[str, list[Place]] = defaultdict(list)
    for tensor in floats:
        theirs[tensor.group].append(tensor)
    for place in places:
        mine[place.group if grouped else ""].append(place)
    found: list[Match] = []
    mistakes: list[Diagnostic] = []
    for group in dict.fromkeys((*mine, *theirs)):
        pairs = _pair(theirs[group], mine[group], origin, ordered)
        for pair in pairs:
            if isinstance(pair, Match):
                found.append(pair)
            else:
                mistakes.append(pair)
    mistakes.extend(_contradictions(found))
    if mistakes:
        raise SpecError(*mistakes)
    return found


def _pair(
    tensors: Sequence[Tensor], places: Sequence[Place], origin: str, ordered: bool
) -> Iterator[Match | Diagnostic]:
    if ordered and [each.shape for each in tensors] == [each.shape for each in places]:
        for tensor, place in zip(tensors, places, strict=True):
            yield Match(tensor, place, "order")
        return
    by_shape: dict[tuple[int, ...], tuple[list[Tensor], list[Place]]] = {}
    for place in places:
        by_shape.setdefault(place.shape, ([], []))[1].append(place)
    for tensor in tensors:
        by_shape.setdefault(tensor.shape, ([], []))[0].append(tensor)
    same = Counter(t.shape for t in tensors) == Counter(p.shape for p in places)
    for shape, (theirs, mine) in by_shape.items():
        if len(theirs) == len(mine) == 1:
            yield Match(theirs[0], mine[0], "shape")
        elif len(theirs) != len(mine):
            yield _unequal(shape, theirs, mine, origin)
        elif same:
            names = _names(each.name for each in theirs)
            order = "its order is not the network's" if ordered else "it keeps no order"
            message = f"{names} of {origin} are all {dims(shape)}, and {order}"
            cure = "say which is which by their names: rename them, or the network's labels"
            yield Diagnostic("ambiguous-order", message, help=cure)


def _unequal(
    shape: tuple[int, ...], theirs: Sequence[Tensor], mine: Sequence[Place], origin: str
) -> Diagnostic:
    wanted = f"the network has {len(mine)} of {dims(shape)}"
    if mine:
        wanted += f" ({_names(name for each in mine for name in each.weights)})"
    there = f"{origin} {len(theirs)}"
    if theirs:
        there += f" ({_names(each.name for each in theirs)})"
    kind = "missing-weight" if len(mine) > len(theirs) else "extra-weight"
    cure = "`--ignore 'PATTERN'` leaves tensors out by name" if kind == "extra-weight" else None
    return Diagnostic(kind, f"{wanted}, {there}", help=cure)


def _contradictions(matches: Iterable[Match]) -> Iterator[Diagnostic]:
    """Pairs whose names say that they are different things, such as a mean and a variance."""
    for tensor, place, by in matches:
        said = _ROLES.get(tensor.name.replace("/", ".").rpartition(".")[2])
        wanted = {_ROLES.get(name.rpartition(".")[2]) for name in place.weights}
        if said is not None and None not in wanted and said not in wanted:
            message = f"by {by} `{tensor.name}` would become {_names(place.weights)}"
            yield Diagnostic(
                "ambiguous-order", message, help="they are not the same kind of weight"
            )


def _names(names: Iterable[str]) -> str:
    listed = [f"`{name}`" for name in names]
    rest = len(listed) - _LISTED
    return ", ".join(listed[:_LISTED]) + (f" and {rest} more" if rest > 0 else "")
