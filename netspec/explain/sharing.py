"""Pages of mistakes about shared layers and tied weights."""

from __future__ import annotations

from netspec.explain.page import Page

PAGES = {
    "use-before-share": Page(
        "a shared name is used above its `share`",
        "A name is known from its line on: what a `share` names can be used below it.",
        bad="input 8\nunit\nshare unit = dense 8\n",
        good="input 8\nshare unit = dense 8\nunit -> unit\n",
    ),
    "labelled-use": Page(
        "a use of shared layers has a label",
        "Shared layers have one set of weights and so one name, which is the one that `share` gives them.",
        bad="share unit = dense 8\ninput 8\nunit -> last: unit\n",
        good="share unit = dense 8\ninput 8\nunit -> unit\n",
    ),
    "unlike-use": Page(
        "shared layers would need other weights, or be other layers, than where they were used first",
        "All uses have the same layers with the same weights, wired alike; sizes may differ where the weights "
        "do not depend on them. Without `share` every call makes new weights.",
        bad="share unit = dense 4\ninput 8\nunit -> unit\n",
        good="share unit = dense 4\ninput 8\nunit -> dense 8 -> unit\n",
    ),
    "shared-input": Page(
        "an `input` stands in what is shared",
        "An input belongs to the network, not to one of its parts. Shared layers take the current tensor.",
        bad="share tower = { input 4; dense 8 }\ninput 4\ntower\n",
        good="share tower = { dense 8 }\ninput 4\ntower\n",
    ),
    "not-shared": Page(
        "`tied` has no shared layer to take a weight from",
        "`tied` works with the weight of one `embed` or `dense` layer that is shared by itself, and used before.",
        bad="input 16\nshare code = dense 8 -> relu\ncode -> tied code\n",
        good="input 16\nshare code = dense 8\ncode -> relu -> tied code\n",
    ),
    "wrong-width": Page(
        "a tensor does not have as many features as the tied layer gives",
        "The transposed map leads back: what the shared layer gives, `tied` takes.",
        bad="input 16\nshare code = dense 8\ncode -> dense 4 -> tied code\n",
        good="input 16\nshare code = dense 8\ncode -> dense 4 -> dense 8 -> tied code\n",
    ),
    "unused-owner": Page(
        "the layer whose weight is tied leads to no result",
        "Steps that lead to no result are no part of the network, and with them goes their weight. The same holds "
        "where the only use that does comes after `tied`.",
        bad="input 8\nshare code = dense 4\n@unused = code\ndense 4 -> tied code\n",
        good="input 8\nshare code = dense 4\ncode -> tied code\n",
    ),
}
