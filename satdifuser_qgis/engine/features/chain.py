"""DDIM inversion: from the clean image to noisier times by the network's own predictions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from torch import Tensor

from ..backbones.schedule import Schedule, read_prediction


@dataclass(frozen=True)
class Call:
    """One call of the network on the way.

    time: what the network is told. alpha: noise level of its input (1 = clean). read_at: noise level at which its
    output is read. alpha_next: level of the step's result. keep: whether features are wanted here.
    """

    time: int
    alpha: float
    read_at: float
    alpha_next: float
    keep: bool


@dataclass(frozen=True)
class Step:
    """What a call gave: input, noise and clean image that the network sees in it, and the next, noisier state."""

    call: Call
    x: Tensor
    noise: Tensor
    clean: Tensor
    x_next: Tensor


def plan(schedule: Schedule, wanted: Sequence[int], steps: int) -> list[Call]:
    """Calls that pass every wanted time, over the grid of ``steps`` times; grid times nearer to a wanted one than half
    a step give way to it, so that there are no calls in vain.

    The first call sees the clean image at the grid's first time, instead of the published -1, which lies outside
    of training: its answer is read at that time and carries the clean image there.
    """
    last = max(wanted)
    half = schedule.length // steps / 2
    grid = [time for time in schedule.leading_times(steps) if time < last]
    times = sorted({*wanted, *(time for time in grid if all(abs(time - other) >= half for other in wanted))})
    bars = [schedule.alpha_bar(time) for time in times]
    calls = [Call(times[0], 1.0, bars[0], bars[0], False)]
    following = [*bars[1:], bars[-1]]
    calls += [Call(t, bar, bar, after, t in wanted) for t, bar, after in zip(times, bars, following)]
    return calls


def plan_published(schedule: Schedule, wanted: Sequence[int], steps: int) -> list[Call]:
    """Calls as the published code makes them: at -1 and then at each grid time, each state read where it is.

    Raises ValueError where a wanted time is not among them.
    """
    grid = [-1, *schedule.leading_times(steps)][:-1]
    missing = sorted(set(wanted) - set(grid))
    if missing:
        raise ValueError(
            f"the published schedule of {steps} steps has no timestep {missing[0]}; its timesteps are "
            f"{', '.join(map(str, grid))}"
        )
    return list(published_inversion(schedule, steps, [steps - 1 - grid.index(time) for time in wanted]).values())


def published_inversion(
    schedule: Schedule, steps: int, kept: Sequence[int], first: int = 0, end: int | None = None
) -> dict[tuple[int, int], Call]:
    """The published chain, (i, k) → call: its i-th call is called k = steps - 1 - i, so that k falls with noise.

    Calls i from ``first`` up to ``end`` (None: up to the smallest k in ``kept``) are made.
    """
    grid = [-1, *schedule.leading_times(steps)]
    end = steps - min(kept) if end is None else min(end, steps)
    return {
        (i, steps - 1 - i): _published_call(schedule, grid[i], grid[i + 1], steps - 1 - i in kept)
        for i in range(first, end)
    }


def published_noising(schedule: Schedule, steps: int, kept: Sequence[int]) -> dict[tuple[int, int], Call]:
    """The single call of the published code in any mode but inversion, (i, k) → call with i = k = min(kept)."""
    grid = [-1, *schedule.leading_times(steps)]
    k = min(kept)
    return {(k, k): _published_call(schedule, grid[steps - k], grid[steps - k - 1], True)}


def _published_call(schedule: Schedule, time: int, following: int, keep: bool) -> Call:
    alpha = schedule.alpha_bar(time)
    return Call(time, alpha, alpha, schedule.alpha_bar(following), keep)


def advance(call: Call, x: Tensor, output: Tensor, prediction_type: str) -> Step:
    """One deterministic DDIM step from the network's (guided) output."""
    noise, clean = read_prediction(output, x, call.read_at, prediction_type)
    if call.alpha == 1.0:
        clean = x
    x_next = math.sqrt(call.alpha_next) * clean + math.sqrt(1.0 - call.alpha_next) * noise
    return Step(call, x, noise, clean, x_next)


def walk(
    x: Tensor, calls: Sequence[Call], denoise: Callable[[Tensor, Call], Tensor | None], prediction_type: str
) -> Iterator[Step]:
    """The steps of a chain. It ends early where ``denoise`` returns None, as it may after the last features."""
    for call in calls:
        output = denoise(x, call)
        if output is None:
            return
        step = advance(call, x, output, prediction_type)
        yield step
        x = step.x_next
