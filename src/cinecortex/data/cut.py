"""How a continuous recording is cut into clips."""

from __future__ import annotations

from dataclasses import dataclass

from cinecortex.errors import WrongUse


@dataclass(frozen=True)
class Cut:
    """Clips of equal length, with gaps that keep training clips away from all others.

    ``guard_frames`` are dropped between every two training clips and on both sides of the test region, so that no
    frame of a test clip, or of a training clip set aside for selection, is within one encoder memory of a clip that is
    trained on. Inside the test region nothing is dropped. What is left over at the end of a region is dropped.

    Attributes:
        clip_frames: Length of every clip, in frames.
        guard_frames: At least the memory of the encoder, in frames.
        test_frames: First frame of the test region and the frame after its last one; by default the last sixth of the
            recording (and no less than one clip).

    Raises:
        WrongUse: a length is not positive, a gap is negative, or the region is empty.
    """

    clip_frames: int = 300
    guard_frames: int = 64
    test_frames: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if self.clip_frames < 1:
            raise WrongUse(f"clip_frames is {self.clip_frames}; a clip has at least one frame.")
        if self.guard_frames < 0:
            raise WrongUse(f"guard_frames is {self.guard_frames}; a gap cannot be negative.")
        if self.test_frames is not None and not 0 <= self.test_frames[0] < self.test_frames[1]:
            raise WrongUse(f"test_frames is {self.test_frames}; give (first, after last) with 0 <= first < after last.")

    def test_region(self, frames: int) -> tuple[int, int]:
        """The test region of a recording of ``frames`` frames, as (first, after last).

        Raises:
            WrongUse: the region lies beyond the end of the recording.
        """
        if self.test_frames is None:
            return max(0, frames - max(frames // 6, self.clip_frames)), frames
        if self.test_frames[1] > frames:
            raise WrongUse(f"test_frames ends at {self.test_frames[1]}, but the recording has only {frames} frames.")
        return self.test_frames

    def clips(self, frames: int) -> tuple[tuple[int, int, str], ...]:
        """Every clip as (first frame, frame after the last, tier), in order of time.

        Raises:
            WrongUse: the recording is too short for one training and one test clip.
        """
        first, last = self.test_region(frames)
        step = self.clip_frames + self.guard_frames
        train = [
            (begin, begin + self.clip_frames, "train")
            for low, high in ((0, first - self.guard_frames), (last + self.guard_frames, frames))
            for begin in range(low, high - self.clip_frames + 1, step)
        ]
        test = [
            (begin, begin + self.clip_frames, "test")
            for begin in range(first, last - self.clip_frames + 1, self.clip_frames)
        ]
        if not train or not test:
            raise WrongUse(
                f"clip_frames={self.clip_frames} with guard_frames={self.guard_frames} leaves no "
                f"{'test' if train else 'training'} clip in a recording of {frames} frames; choose shorter clips."
            )
        return tuple(sorted(train + test))
