"""Every command that README and docs show exists; a test runs it, or it is listed here with the reason."""

import argparse
import re
import subprocess
from pathlib import Path

import pytest
import yaml
from dvc.cli import DvcParserError
from dvc.cli.parser import get_main_parser
from shown_commands import OTHERS, PROGRAMS, Command, commands, help_lines, mixed_blocks

from maskline.cli.main import parser
from maskline.errors import InputError
from maskline.files.dotted import set_values
from maskline.files.yaml12 import read_yaml
from maskline.params.check import check_params

ROOT = Path(__file__).parents[1]
COMMANDS = commands()
# The test that runs each command.
TESTED = {
    "make repro": "test_pipeline::test_make_repro_ends_with_the_result",
    "make repro FOLDER": "test_plan_pipeline::test_the_commands_take_its_folder",
    "make pull": "test_pipeline::test_make_pull_names_what_the_remote_lacks_of_other_pipelines",
    "make help": "test_commands::test_make_help_prints_what_is_shown",
    "maskline check": "test_export::test_a_file_from_elsewhere_is_checked",
    "maskline compare": "test_cli::test_two_revisions_are_told_apart_or_not",
    "maskline ensemble": "test_ensemble::test_it_predicts_the_mean_of_its_members",
    "maskline evaluate": "test_ensemble::test_it_is_evaluated_with_every_metric",
    "maskline experiments": "test_pipeline::test_experiments_run_at_once_and_from_the_queue",
    "maskline export": "test_export::test_a_file_scores_as_the_model_and_says_what_it_is",
    "maskline folds": "test_folds_command::test_the_whole_pipeline_tests_every_image_once",
    "maskline plan": "test_plan_pipeline::test_the_plan_chose_every_param_that_the_run_needs",
    "maskline predict": "test_predict::test_an_image_gives_labels_in_class_colors_an_overlay_areas_and_a_record",
    "maskline seeds": "test_seeds_command::test_seeds_are_run_summed_up_and_compared",
    "maskline verify": "test_verify::test_a_committed_result_comes_out_again",
    "dvc add": "test_own_data::test_a_folder_that_dvc_tracks_is_pulled_with_the_result",
    "dvc cache dir": "test_cli::test_one_revision_is_compared_with_the_workspace",
    "dvc checkout": "test_links::test_outputs_that_were_removed_are_checked_out",
    "dvc config": "test_links::test_there_is_one_copy_of_every_output_and_they_equal_those_of_a_copying_cache",
    "dvc exp run": "test_pipeline::test_experiments_run_at_once_and_from_the_queue",
    "dvc exp show": "test_pipeline::test_experiments_run_at_once_and_from_the_queue",
    "dvc metrics diff": "test_pipeline::test_branches_can_be_compared",
    "dvc metrics show": "test_pipeline::test_metrics_and_plots_show_in_a_clone_without_cache_or_remote",
    "dvc params diff": "test_pipeline::test_branches_can_be_compared",
    "dvc plots diff": "test_pipeline::test_branches_can_be_compared",
    "dvc plots show": "test_pipeline::test_metrics_and_plots_show_in_a_clone_without_cache_or_remote",
    "dvc pull": "test_pipeline::test_a_result_is_pushed_and_pulled",
    "dvc push": "test_pipeline::test_a_result_is_pushed_and_pulled",
    "dvc queue logs": "test_pipeline::test_experiments_run_at_once_and_from_the_queue",
    "dvc queue start": "test_pipeline::test_experiments_run_at_once_and_from_the_queue",
    "dvc queue status": "test_pipeline::test_experiments_run_at_once_and_from_the_queue",
    "dvc remote add": "test_pipeline::test_a_result_is_pushed_and_pulled",
    "dvc repro": "test_pipeline::test_first_run_leaves_what_readme_says_and_second_does_nothing",
    "dvc status": "test_pipeline::test_a_result_is_pushed_and_pulled",
    "python stages/train.py": "test_workers_training::test_killed_and_stopped_it_ends_in_the_same_bytes",
    "python docs/generate_params.py": "test_docs::test_the_params_page_is_up_to_date",
}
# Why no test runs the others.
UNTESTED = {
    "make bench": "takes minutes of a machine that does nothing else",
    "make check": "runs the tests; continuous integration does what it does",
    "make ci": "writes the project's own results; continuous integration runs it",
    "make clean": "removes the environment that the tests run in",
    "make docs": "installs packages from the network; continuous integration runs it",
    "make format": "rewrites the code that is tested",
    "make lock": "asks a package registry; continuous integration runs it",
    "make repro GPU": "needs an NVIDIA GPU",
    "make repro PYTHON": "installs packages from the network, with another Python",
    "make repro RAY": "installs packages from the network; test_ray runs what it is for",
    "make test": "runs the tests",
    "make test-all": "runs the tests; continuous integration runs it",
    "make verify": "takes minutes; test_verify runs `maskline verify`, which is all that it does",
    "make watch": "installs packages from the network, and does not end",
    "dvc exp apply": "is DVC's alone: it changes no more than the workspace",
    "dvc unprotect": "is DVC's alone: it replaces links by copies",
    "python benchmarks": "takes minutes to hours, and mostly data or packages that a test machine lacks",
    "python recipes/pets/sample.py": "needs the whole of Oxford-IIIT Pet",
}


def of(program: str) -> list[Command]:
    return [command for command in COMMANDS if command.words[0] == program]


def entries(words: list[str]) -> list[str]:
    """Return the keys of the tables above under which a command is, one for each variable of `make repro`."""
    program, *arguments = words
    if program == "make":
        target = next(word for word in arguments if "=" not in word)
        variables = [word.partition("=")[0] for word in arguments if "=" in word and target == "repro"]
        return [f"make {target} {variable}" for variable in variables] or [f"make {target}"]
    if program == "python":
        return ["python benchmarks" if arguments[0].startswith("benchmarks/") else f"python {arguments[0]}"]
    if program == "dvc" and arguments[0] in ("cache", "exp", "metrics", "params", "plots", "queue", "remote"):
        return [" ".join(words[:3])]
    return [" ".join(words[:2])]


def options(words: list[str]) -> list[str]:
    return [word.partition("=")[0] for word in words if re.match(r"--?[a-z]", word)]


def is_only_named(command: Command) -> bool:
    """Return whether it is a name in a sentence, such as `dvc plots`, and nothing to type."""
    return not command.whole and (len(command.words) == 2 or command.words[-1] == "--help")


@pytest.fixture(scope="module")
def subcommands() -> dict[str, argparse.ArgumentParser]:
    [found] = [action for action in parser()._actions if isinstance(action, argparse._SubParsersAction)]
    return dict(found.choices)


def test_commands_are_found():
    assert {command.words[0] for command in COMMANDS} >= set(PROGRAMS)
    assert {command.words[0] for command in COMMANDS} <= {*PROGRAMS, *OTHERS}
    assert not list(mixed_blocks()), "where output follows a command, the command begins with `$ `"


def test_every_make_target_exists_and_takes_its_variables():
    variables = set(re.findall(r"(?m)^(\w+) \?=", (ROOT / "Makefile").read_text()))
    for words in {tuple(command.words) for command in of("make")}:
        assert {word.partition("=")[0] for word in words if "=" in word} <= variables, words
        done = subprocess.run([*words, "--dry-run"], cwd=ROOT, capture_output=True, text=True)
        assert done.returncode == 0, f"{' '.join(words)}: {done.stderr}"


def test_make_help_prints_what_is_shown():
    printed = subprocess.run(["make", "help"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    assert not [f"{page}: {line}" for page, line in help_lines() if line not in printed.splitlines()]


def test_every_maskline_command_is_one_that_the_parser_takes(subcommands, capsys):
    for command in of("maskline"):
        known = {
            "--help",
            *(subcommands[command.words[1]]._option_string_actions if command.words[1] in subcommands else ()),
        }
        assert command.words[1] in (*subcommands, "--help"), command
        assert set(options(command.words[2:])) <= known, command
        if command.whole:
            try:
                parser().parse_args(command.words[1:])
            except SystemExit:
                pytest.fail(f"{command}: {capsys.readouterr().err}")


def test_every_option_of_maskline_that_is_shown_is_tested():
    tests = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").glob("test_*.py"))
    shown = {option for command in of("maskline") for option in options(command.words[2:])}
    assert not {option for option in shown if f'"{option}"' not in tests and f"{option} " not in tests}


def test_every_dvc_command_is_one_that_the_parser_takes():
    for command in of("dvc"):
        if is_only_named(command):
            continue
        try:
            get_main_parser().parse_args(command.words[1:])
        except (DvcParserError, SystemExit):
            pytest.fail(str(command))


def test_every_param_that_is_set_exists_and_takes_its_value():
    """A value that a page shows to be refused has its sentence there too."""
    for command in of("dvc"):
        if command.words[1:3] != ["exp", "run"]:
            continue
        changes = dict(
            change.split("=", 1) for change in get_main_parser().parse_args(command.words[1:]).set_param or ()
        )
        params = read_yaml(ROOT / "params.yaml")
        try:
            set_values(params, {key: yaml.safe_load(value) for key, value in changes.items()})
            check_params(params, Path("params.yaml"))
        except KeyError as error:
            pytest.fail(f"{command}: params.yaml has no {error}")
        except InputError as error:
            assert str(error) in command.page.read_text(encoding="utf-8"), f"{command}: {error}"


def test_every_script_exists_and_has_the_options():
    for command in of("python"):
        script = ROOT / command.words[1]
        assert script.is_file(), command
        text = script.read_text(encoding="utf-8")
        beside = [script.with_name(f"{name}.py") for name in re.findall(r"(?m)^from (\w+) import", text)]
        text += "".join(path.read_text(encoding="utf-8") for path in beside if path.exists())
        assert not [option for option in options(command.words[2:]) if f'"{option}"' not in text], command


def test_a_test_runs_each_or_there_is_a_reason():
    known = {*TESTED, *UNTESTED}
    shown = {
        entry
        for command in COMMANDS
        if command.words[0] in PROGRAMS
        for entry in entries(command.words)
        if entry in known or not is_only_named(command)
    }
    assert not shown - known
    assert not known - shown, "no page shows these"
    assert not TESTED.keys() & UNTESTED.keys()


@pytest.mark.parametrize("command", TESTED)
def test_the_test_that_runs_it_is_there(command):
    file, _, test = TESTED[command].partition("::")
    text = (ROOT / "tests" / f"{file}.py").read_text(encoding="utf-8")
    assert f"\ndef {test}(" in text
    for word in command.split()[1:]:
        assert f'"{word}' in text or Path(word).name in text, f"{file} does not run {command}"
