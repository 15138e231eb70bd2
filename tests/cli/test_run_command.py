"""`cinecortex run`, as a user meets it."""

from pathlib import Path

from tests.cli.test_commands import assert_one_sentence


def test_an_unknown_key_stops_it_and_names_the_nearest(run, tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text('[recordings]\npaths = ["m"]\n[encoder]\nmember = 3\n')
    ran = run("run", tmp_path / "s.toml")
    assert (ran.code, ran.out) == (2, "")
    assert_one_sentence(ran.err, str(tmp_path / "s.toml"), "encoder.member is unknown; the nearest is 'members'")
    assert not (tmp_path / "s").exists()


def test_a_recording_that_is_not_there_is_bad_data(run, tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text('[recordings]\npaths = ["mouse"]\n')
    ran = run("run", tmp_path / "s.toml")
    assert ran.code == 3
    assert_one_sentence(ran.err, str(tmp_path / "mouse"))


def test_two_places_to_run_in_are_refused(run, tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text('[recordings]\npaths = ["mouse"]\n')
    ran = run("run", tmp_path / "s.toml", "--workers", 2, "--scheduler", "tcp://127.0.0.1:1")
    assert ran.code == 2
    assert_one_sentence(ran.err, "workers and scheduler were given")


def test_a_study_runs_to_its_findings(run, mice: Path, encoder: Path, tmp_path: Path) -> None:
    (tmp_path / "s.toml").write_text(
        f'recordings.paths = "{mice / "first"}"\nencoder.folder = "{encoder}"\ntrials.tier = "final_test_main"\n'
        'method.name = "mean"\nvalidation = {checks = "controls.no_neurons", baselines = []}\nreport.out = "out"\n'
    )
    first, second = run("run", tmp_path / "s.toml"), run("run", tmp_path / "s.toml")
    assert (first.code, second.code) == (0, 0), first.err + second.err
    assert (tmp_path / "out" / "in-silico-0" / "findings.json").exists()
    assert "inversions asked for" in first.out
    assert first.out.splitlines()[-1] == f"wrote {tmp_path / 'out' / 'in-silico-0'}, with report.html"
    assert "reconstructions of in-silico-0: there already" in second.out
    assert "inverting" not in second.out
    assert first.out.splitlines()[-2] == second.out.splitlines()[-2]
