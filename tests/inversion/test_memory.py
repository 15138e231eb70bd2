"""What memory there is, what a clip takes, and what is done where the two do not meet."""

from typing import ClassVar

import pytest
import torch
from tests.encoders.dwiseneuro_small import small_network
from torch import nn

from cinecortex.encoders.base import Encoder
from cinecortex.encoders.chunked import Chunked
from cinecortex.encoders.dwiseneuro_encoder import DwiseNeuroEncoder
from cinecortex.encoders.ensemble import Ensemble
from cinecortex.inversion.memory import free_bytes, group_bytes, is_out_of_memory, kept_bytes
from cinecortex.inversion.plan import SHARE, OutOfMemory, Plan, plan_for, smaller, while_it_fits

NEURONS, MEMORY = 6, 4


class Exponential(Encoder):
    """``rate = exp(W movie)``: of every frame it keeps the rates for the gradient, and nothing else."""

    kind, frame_size, frame_rate_hz, memory, causal = "exponential", (3, 5), 30.0, MEMORY, True
    settings: ClassVar[dict] = {}

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(NEURONS, 15), requires_grad=False)

    @property
    def neurons(self) -> int:
        return NEURONS

    def forward(self, movies, behaviors):
        return torch.exp(movies.flatten(2) @ self.weight.T)


def dwiseneuro(**options) -> DwiseNeuroEncoder:
    encoder = DwiseNeuroEncoder(small_network(), 0, frame_size=(8, 8), padded_size=(8, 8), **options)
    return encoder.double().eval().requires_grad_(False)


def test_what_is_kept_is_counted_to_the_byte():
    fixed, per_frame = kept_bytes(Exponential())
    assert (fixed, per_frame) == (0, 4 * NEURONS)
    assert kept_bytes(Exponential().double())[1] == 8 * NEURONS
    assert kept_bytes(Ensemble([Exponential(), Exponential()]))[1] == 2 * 4 * NEURONS
    # Nothing but the movie, which is one piece of memory however many stretches look at it.
    assert kept_bytes(Chunked(Exponential(), 4))[1] == 4 * 15


def test_what_is_kept_is_unknown_where_memory_runs_out_on_the_way():
    class Greedy(Exponential):
        def forward(self, movies, behaviors):
            raise MemoryError

    assert kept_bytes(Greedy()) == (0, 0)
    assert plan_for(Greedy(), clips=3, frames=100, free=1 << 20) == Plan(3)


def test_as_many_clips_go_together_as_fit():
    encoder, clip = Exponential(), 4 * NEURONS * 100
    assert plan_for(encoder, clips=5, frames=100, free=int(5.01 * clip / SHARE)) == Plan(5)
    assert plan_for(encoder, clips=5, frames=100, free=int(3.01 * clip / SHARE)) == Plan(3)
    assert plan_for(encoder, clips=5, frames=100, free=int(1.01 * clip / SHARE)) == Plan(1)


def test_a_clip_that_does_not_fit_goes_in_stretches_that_do():
    encoder, frame = Exponential(), 4 * NEURONS
    plan = plan_for(encoder, clips=5, frames=100, free=int(30.01 * frame / SHARE))
    assert plan == Plan(1, 30 - MEMORY)
    longest = max(last - first for _, _, first, last in plan.shaped(encoder).stretches(100))
    assert longest <= 30
    # With next to nothing free the smallest stretch is tried all the same.
    assert plan_for(encoder, clips=5, frames=100, free=0) == Plan(1, MEMORY // 2)


def test_pieces_become_smaller_step_by_step():
    plan, said = Plan(5), []
    while (found := smaller(plan, Exponential(), 20)) is not None:
        plan, words = found
        said.append(words)
    assert said == ["2 clips at a time", "1 clip at a time", *(f"{n} frames at a time" for n in (10, 5, 2))]


def test_a_network_that_goes_by_windows_goes_by_fewer():
    encoder, said = dwiseneuro(windows_at_once=4), []
    plan = Plan(2)
    while (found := smaller(plan, encoder, 300)) is not None:
        plan, words = found
        said.append((words, encoder.windows_at_once))
    assert said == [("1 clip at a time", 4), ("2 windows at a time", 2), ("1 window at a time", 1)]
    assert plan_for(dwiseneuro(), clips=1, frames=300, free=0) == Plan(1)  # stretches would not help it


def test_work_goes_on_in_pieces_that_fit():
    tried = []

    def work(plan):
        tried.append(plan)
        if plan.clips > 1:
            raise torch.OutOfMemoryError("too much")
        if plan.frames is None:
            raise MemoryError
        if plan.frames > 5:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 7 bytes")
        return plan.frames

    answer, plan, words = while_it_fits(work, Plan(3), Exponential(), 20)
    assert (answer, plan, words) == (5, Plan(1, 5), "5 frames at a time")
    assert tried == [Plan(3), Plan(1), Plan(1, 10), Plan(1, 5)]
    assert while_it_fits(lambda plan: 7, Plan(3), Exponential(), 20) == (7, Plan(3), "")


def test_where_nothing_fits_it_says_so_in_one_sentence():
    def work(plan):
        raise MemoryError

    with pytest.raises(OutOfMemory, match="not enough memory on cpu to invert 20 frames of 3x5 px with 6 neurons"):
        while_it_fits(work, Plan(3), Exponential(), 20)


def test_other_errors_are_not_taken_for_a_lack_of_memory():
    def work(plan):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        while_it_fits(work, Plan(3), Exponential(), 20)
    assert not is_out_of_memory(ValueError("not enough memory"))


def test_an_allocation_that_is_refused_is_known_for_what_it_is():
    with pytest.raises(RuntimeError) as caught:
        torch.empty(1 << 60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)


def test_some_memory_is_free():
    before = free_bytes(torch.device("cpu"))
    assert 1 << 20 < before < 1 << 50


def groups(folder, membership: str, files: dict[str, str]) -> int:
    """What is left in the control groups made of these files."""
    for name, text in files.items():
        file = folder / "mounted" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    (folder / "membership").write_text(membership)
    return group_bytes(folder / "mounted", folder / "membership")


@pytest.mark.parametrize(
    ("membership", "files", "left"),
    [
        (
            "0::/jobs/mine\n",
            {
                "jobs/mine/memory.max": "1000\n",
                "jobs/mine/memory.current": "400\n",
                "jobs/mine/memory.stat": "anon 300\ninactive_file 50\n",
            },
            650,
        ),
        (  # the group above is the tighter one
            "0::/jobs/mine\n",
            {
                "jobs/mine/memory.max": "1000\n",
                "jobs/mine/memory.current": "400\n",
                "jobs/memory.max": "900\n",
                "jobs/memory.current": "700\n",
            },
            200,
        ),
        (  # in a container only the topmost folder is there, and the path is the host's
            "0::/host/path\n",
            {"memory.max": "1000\n", "memory.current": "1200\n"},
            0,
        ),
        (
            "5:cpu,cpuacct:/elsewhere\n4:memory:/mine\n0::/\n",
            {
                "memory/mine/memory.limit_in_bytes": "1000\n",
                "memory/mine/memory.usage_in_bytes": "400\n",
                "memory/mine/memory.stat": "inactive_file 7\ntotal_inactive_file 100\n",
                "memory/memory.limit_in_bytes": "9223372036854771712\n",
                "memory/memory.usage_in_bytes": "500\n",
            },
            700,
        ),
        ("0::/mine\n", {"mine/memory.max": "max\n", "mine/memory.current": "400\n"}, 1 << 60),
        ("0::/mine\n", {}, 1 << 60),
    ],
    ids=["version 2", "parent", "container", "version 1", "no limit", "no files"],
)
def test_control_groups_limit_what_is_free(tmp_path, membership, files, left):
    assert groups(tmp_path, membership, files) == left


def test_without_control_groups_there_is_no_limit(tmp_path):
    assert group_bytes(tmp_path, tmp_path / "missing") == 1 << 60
