"""What a study file says is what runs; what it cannot mean stops it, with a sentence that helps."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from cinecortex.errors import BadData, WrongUse
from cinecortex.execution.machines import Machines
from cinecortex.execution.slurm import Slurm
from cinecortex.studyfile import Study, read_study

STUDIES = Path(__file__).parents[2] / "studies"
LEAST = '[recordings]\npaths = ["mouse"]\n'


def written(folder: Path, text: str) -> Path:
    file = folder / "mine.toml"
    file.write_text(text)
    return file


def refused(folder: Path, text: str) -> str:
    with pytest.raises(WrongUse) as refusal:
        read_study(written(folder, text))
    sentence = str(refusal.value)
    assert sentence.startswith(f"{folder / 'mine.toml'}: ")
    assert sentence.endswith(".")
    assert "\n" not in sentence
    return sentence.partition(": ")[2]


@pytest.mark.parametrize("file", sorted(STUDIES.glob("*.toml")), ids=lambda file: file.name)
def test_every_study_of_the_repository_is_one(file: Path) -> None:
    study = read_study(file)
    assert study.report.out is not None
    assert study.report.out.parent == STUDIES.parent / "out"


def test_the_least_study_has_the_defaults_of_the_commands(tmp_path: Path) -> None:
    study = read_study(written(tmp_path, LEAST))
    assert study.recordings.paths == (tmp_path / "mouse",)
    assert study.report.out == tmp_path / "mine"
    assert (study.seed, study.encoder.kind, study.encoder.members, study.method.name) == (0, ("compact",), 1, "map")
    assert study.execution.machines() == Machines()


def test_paths_are_relative_to_the_file_and_may_be_absolute(tmp_path: Path) -> None:
    text = 'recordings.paths = ["../a", "/b"]\nencoder.folder = "e"\nvalidation.held_out = ["h"]\nreport.out = "../o"\n'
    study = read_study(written(tmp_path, text))
    assert study.recordings.paths == (tmp_path.parent / "a", Path("/b"))
    assert study.encoder.folder == tmp_path / "e"
    assert study.validation.held_out == (tmp_path / "h",)
    assert study.report.out == tmp_path.parent / "o"


def test_one_word_stands_for_a_list_of_one(tmp_path: Path) -> None:
    text = 'recordings.paths = "m"\nencoder.kind = "dwiseneuro"\ntrials.ids = "7"\nvalidation.checks = "controls"\n'
    study = read_study(written(tmp_path, text))
    assert study.recordings.paths == (tmp_path / "m",)
    assert study.encoder.kind == ("dwiseneuro",)
    assert (study.trials.ids, study.validation.checks) == (("7",), ("controls",))


def test_a_study_does_not_change(tmp_path: Path) -> None:
    study = read_study(written(tmp_path, LEAST))
    with pytest.raises(ValidationError, match="frozen"):
        study.encoder.members = 2


def test_where_it_runs(tmp_path: Path) -> None:
    assert read_study(written(tmp_path, LEAST + "[execution]\nworkers = 3")).execution.machines() == Machines(workers=3)
    slurm = 'slurm = {jobs = 2, cores = 4, memory = "8 GB", interface = "ib0", log_folder = "logs"}'
    asked = read_study(written(tmp_path, LEAST + "[execution]\n" + slurm)).execution.machines().slurm
    assert asked == Slurm(jobs=2, cores=4, memory="8 GB", interface="ib0", log_folder=str(tmp_path / "logs"))
    elsewhere = read_study(written(tmp_path, LEAST + "[execution]\n" + slurm))
    assert elsewhere.on().execution.slurm is not None
    assert elsewhere.on(workers=2).execution.machines() == Machines(workers=2)
    with pytest.raises(WrongUse, match="workers and scheduler"):
        elsewhere.on(workers=2, scheduler="tcp://127.0.0.1:1")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[encoder]\nmember = 7", "encoder.member is unknown; the nearest is 'members', and there are folder, kind, "),
        ("[methods]\nname = 'map'", "methods is unknown; the nearest is 'method', and there are seed, recordings, "),
        ("[execution]\nslurm = {job = 1}", "execution.slurm.job is unknown; the nearest is 'jobs'"),
        ("[method]\nname = 'maps'", "method: method 'maps' is unknown; the nearest is 'map', and there are map, "),
        ("[method]\nprior = 'spectrl'", "method.prior = 'spectrl' is unknown; the nearest is 'spectral', and there "),
        ("[encoder]\nkind = ['compct']", "encoder.kind.0 = 'compct' is unknown; the nearest is 'compact'"),
        ("[encoder]\nmembers = 0", "encoder.members = 0: should be greater than or equal to 1."),
        ("[encoder]\nmembers = 2.0", "encoder.members = 2.0: should be a valid integer."),
        ("[encoder]\nmembers = true", "encoder.members = True: should be a valid integer."),
        ("[encoder]\nfolder = 'e'\nepochs = 3", "encoder: an encoder that is given by its folder is not fitted; leave"),
        ("[encoder]\nkind = ['compact', 'dwiseneuro']", "encoder: 2 kinds need as many members, and there are 1."),
        ("[execution]\nworkers = 2\nscheduler = 'a'", "execution: tasks run in one place, and workers and scheduler"),
        ("[execution]\nslurm = {cores = 1}", "execution.slurm.jobs is missing."),
        ("[trials]\ntier = 'oracle'\nids = ['1']", "trials: choose trials by tier or by ids."),
        (
            "[validation]\nquick = true\nchecks = ['controls']",
            "validation: choose checks by quick, by deep or by name.",
        ),
        (
            "[method]\nname = 'ridge'\nsamples = 4",
            "method: samples go with sample, langevin, hmc; ridge draws",
        ),
        ("[method]\nname = 'paper'\nprior = 'flat'", "method: a prior goes with map; paper has one of its own"),
    ],
)
def test_what_it_cannot_mean_stops_it(tmp_path: Path, text: str, sentence: str) -> None:
    assert refused(tmp_path, LEAST + text).startswith(sentence)


def test_a_recording_is_given_or_simulated(tmp_path: Path) -> None:
    assert refused(tmp_path, "seed = 1") == "recordings is missing."
    assert refused(tmp_path, "[recordings]") == "recordings: give either paths or simulate."
    assert refused(tmp_path, LEAST + "simulate = {}") == "recordings: give either paths or simulate."
    assert refused(tmp_path, "[recordings]\npaths = []").startswith("recordings.paths = []: ")


def test_what_is_no_study_is_bad_data(tmp_path: Path) -> None:
    with pytest.raises(BadData, match="cannot be read"):
        read_study(tmp_path / "absent.toml")
    with pytest.raises(BadData, match="is not TOML"):
        read_study(written(tmp_path, "seed = "))
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(BadData, match="is not TOML"):
        read_study(tmp_path / "bytes.toml")


def test_every_section_refuses_what_it_does_not_know() -> None:
    """None was left open: a key that no section has is refused in each of them."""
    filled = {"recordings": {"paths": ["m"]}}
    for name in Study.model_fields:
        if name == "seed":
            continue
        content = {**filled, name: {**filled.get(name, {}), "no such key": 1}}
        with pytest.raises(ValidationError, match="Extra inputs"):
            Study.model_validate(content)
