"""From TOML to a study, or to one sentence on what is wrong with it."""

from __future__ import annotations

import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from cinecortex.errors import BadData, WrongUse
from cinecortex.studyfile.sections import Section, Study, nearest_of


def read_study(file: Path) -> Study:
    """Read a study; its paths come back absolute.

    Raises:
        WrongUse: it asks for what does not exist or does not go together; the sentence says where, and names the
            nearest thing that does exist.
        BadData: it cannot be read, or is not TOML.
    """
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise BadData(f"{file} cannot be read ({error.strerror}); give the TOML file of a study.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadData(f"{file} is not TOML: {error}.") from error
    try:
        study = Study.model_validate(content)
        study.execution.machines()
    except ValidationError as error:
        raise WrongUse(f"{file}: {_sentence(error)}.") from error
    except WrongUse as error:
        raise WrongUse(f"{file}: execution: {error}") from error
    return _absolute(study, file)


def _absolute(study: Study, file: Path) -> Study:
    folder = file.resolve().parent
    parts: dict[str, tuple[Section, dict[str, Any]]] = {
        "recordings": (study.recordings, {"paths": study.recordings.paths}),
        "encoder": (study.encoder, {"folder": study.encoder.folder}),
        "validation": (study.validation, {"held_out": study.validation.held_out}),
        "report": (study.report, {"out": study.report.out or Path(file.stem)}),
    }

    def at_home(path: Any) -> Any:
        return tuple(map(at_home, path)) if isinstance(path, tuple) else path and (folder / path).resolve()

    update = {
        name: section.model_copy(update={key: at_home(value) for key, value in paths.items()})
        for name, (section, paths) in parts.items()
    }
    if (slurm := study.execution.slurm) is not None and slurm.log_folder is not None:
        slurm = slurm.model_copy(update={"log_folder": str(at_home(slurm.log_folder))})
        update["execution"] = study.execution.model_copy(update={"slurm": slurm})
    return study.model_copy(update=update)


def _sentence(error: ValidationError) -> str:
    """The first thing that is wrong; what is unknown goes before what is wrong because it is missing."""
    found = error.errors(include_url=False)
    first = next((each for each in found if each["type"] == "extra_forbidden"), found[0])
    place = [str(part) for part in first["loc"] if not str(part).startswith("tuple[")]
    where = ".".join(place)
    if first["type"] == "extra_forbidden":
        return f"{where} is unknown; {nearest_of(place[-1], _keys(place[:-1]))}"
    if first["type"] == "missing":
        return f"{where} is missing"
    if first["type"] == "value_error":
        return f"{where}: {first['ctx']['error']}"
    if first["type"] == "literal_error":
        known = [word.strip(" '") for word in first["ctx"]["expected"].replace(" or ", ", ").split(",")]
        return f"{where} = {first['input']!r} is unknown; {nearest_of(str(first['input']), known)}"
    asked = first["msg"][0].lower() + first["msg"][1:].removeprefix("nput ")
    return f"{where} = {first['input']!r}: {asked.removeprefix('i')}"


def _keys(place: Sequence[str]) -> list[str]:
    """What a section may hold."""
    section: type[BaseModel] = Study
    for name in place:
        of = section.model_fields[name].annotation
        section = next(each for each in (of, *getattr(of, "__args__", ())) if isinstance(each, type(BaseModel)))
    return list(section.model_fields)
