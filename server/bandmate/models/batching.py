# SPDX-License-Identifier: GPL-3.0-or-later
"""Several sessions' states in the same arrays."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import mlx.core as mx
import numpy as np
from mlx.utils import tree_map


@dataclass(frozen=True)
class Batched:
    """One session's rows of arrays that several sessions share.

    A batch that stays together is passed on as it is; only when sessions come, go or change
    places are rows copied.

    Attributes:
        tree: MLX or numpy arrays (in dicts and lists) whose first axis holds all sessions' rows.
        index: this session's place.
        sessions: places in all.
        names: what each of this session's rows stands for; see `with_rows`.
    """

    tree: Any
    index: int
    sessions: int
    names: tuple[int, ...] = (0,)

    def rows(self, array: Any) -> Any:
        """This session's rows of one of the tree's arrays."""
        count = array.shape[0] // self.sessions
        return array[self.index * count : (self.index + 1) * count]

    def own_tree(self) -> Any:
        """This session's rows of all arrays."""
        return tree_map(self.rows, self.tree)


def gather(states: Sequence[Batched]) -> Any:
    """The sessions' rows in one tree, in the order given."""
    first = states[0]
    together = len(states) == first.sessions and all(
        state.tree is first.tree and state.index == place for place, state in enumerate(states)
    )
    if together:
        return first.tree

    def join(*arrays: Any) -> Any:
        rows = [s.rows(a) for s, a in zip(states, arrays, strict=True)]
        return np.concatenate(rows) if isinstance(rows[0], np.ndarray) else mx.concatenate(rows)

    return tree_map(join, first.tree, *(state.tree for state in states[1:]))


def with_rows(state: Batched, names: tuple[int, ...]) -> Batched:
    """A session's state with the rows `names`: each its own row of before, or a copy of the first.

    Names are compared with those of before and mean nothing else here.
    """
    known = {name: place for place, name in enumerate(state.names)}
    places = [known.get(name, 0) for name in names]
    if places == list(range(len(state.names))):
        return replace(state, names=names)

    def chosen(array: Any) -> Any:
        rows = state.rows(array)
        return rows[places] if isinstance(array, np.ndarray) else rows[mx.array(places)]

    return Batched(tree_map(chosen, state.tree), 0, 1, names)


def scatter(tree: Any, names: Sequence[tuple[int, ...]]) -> list[Batched]:
    """The places of a tree of sessions whose rows stand for `names`."""
    return [Batched(tree, index, len(names), own) for index, own in enumerate(names)]
