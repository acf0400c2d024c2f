"""Imports point down, and what must come at once imports nothing slow."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

import faultdiag
from faultdiag.cli.app import app

PACKAGE = Path(faultdiag.__file__).parent

# A module imports from the layers above its own line, and from its own package. A name stands
# for a module, or for a package with all of its modules that are not named themselves.
LAYERS = [
    {"arrays", "documents", "errors"},
    {"option_types", "registry", "system"},
    {"metrics", "signal"},
    {"bundled", "readers"},
    {"features", "simulation"},
    {"datasets"},
    {"splits"},
    {"config"},
    {"preparing"},
    # From here on there is torch.
    {"attention", "baselines", "representations", "signature"},
    {"models"},
    {"transfer"},
    {"noise", "novelty"},
    {"scoring"},
    {"checkpoint"},
    {"inference"},
    {"evidence", "export"},
    {"evaluation"},
    {"training"},
    {"fetch", "guess", "prediction", "protocol"},
    {"report"},
    {"api"},
    {"faultdiag"},
    {"cli"},
    {"__main__"},
]
LAYER = {name: number for number, names in enumerate(LAYERS) for name in names}
COMMANDS = [
    command.name or command.callback.__name__.replace("_", "-")
    for command in app.registered_commands
    if command.callback
]
SLOW = {"h5py", "joblib", "matplotlib", "pooch", "requests", "scipy", "sklearn"}
# Their modules are imported by name, when a config asks for them.
LATE = {"attention", "models", "representations", "transfer"}


def _name(path: Path) -> str:
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__") or "faultdiag"


MODULES = {_name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


@dataclass(frozen=True)
class Import:
    """What is imported, in full, and whether importing the module imports it too."""

    target: str
    at_once: bool


def _nodes(node: ast.AST, *, at_once: bool) -> Iterator[tuple[ast.AST, bool]]:
    """Walk a module; in functions and under TYPE_CHECKING nothing is imported at once."""
    for child in ast.iter_child_nodes(node):
        late = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda) or (
            isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
        )
        yield child, at_once
        yield from _nodes(child, at_once=at_once and not late)


def _imports(path: Path) -> list[Import]:
    found = []
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node, at_once in _nodes(tree, at_once=True):
        if isinstance(node, ast.Import):
            found += [Import(alias.name, at_once) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write imports in full"
            found += [Import(f"{node.module}.{alias.name}", at_once) for alias in node.names]
    return found


IMPORTS = {name: _imports(path) for name, path in MODULES.items()}


def _module(target: str) -> str | None:
    """Return the module of the package that is imported, or None if it is another package's."""
    head, _, rest = target.partition(".")
    if head != "faultdiag":
        return None
    while rest and rest not in MODULES:
        rest = rest.rpartition(".")[0]
    return rest or "faultdiag"


def _placed(module: str) -> str | None:
    """Return the entry of the table that places a module."""
    while module and module not in LAYER:
        module = module.rpartition(".")[0]
    return module or None


def _internal(name: str, *, at_once: bool = False) -> set[str]:
    targets = [_module(i.target) for i in IMPORTS[name] if i.at_once or not at_once]
    return {target for target in targets if target is not None and target != name}


def _foreign(name: str, *, at_once: bool = False) -> set[str]:
    return {i.target.partition(".")[0] for i in IMPORTS[name] if i.at_once or not at_once}


def _rank(module: str) -> int:
    place = _placed(module)
    assert place is not None, f"{module} has no place in LAYERS"
    return LAYER[place]


def test_every_module_has_a_place_and_every_place_a_module() -> None:
    assert [module for module in MODULES if _placed(module) is None] == []
    assert [name for name in LAYER if name not in MODULES] == []


def test_imports_point_down() -> None:
    assert [
        f"{name} imports {target}"
        for name in MODULES
        for target in sorted(_internal(name))
        if _rank(target) >= _rank(name) and _placed(target) != _placed(name)
    ] == []


def test_nothing_imports_the_command_line() -> None:
    assert {
        _placed(name)
        for name in MODULES
        if "cli" in {_placed(target) for target in _internal(name)}
    } == {"__main__", "cli"}


def test_no_module_waits_for_itself() -> None:
    graph = {name: _internal(name, at_once=True) for name in MODULES}
    assert set(TopologicalSorter(graph).static_order()) == set(MODULES)


def test_torch_enters_only_from_attention_on() -> None:
    torch_free = [name for name in MODULES if _rank(name) < LAYER["attention"]]
    assert {"config.schema", "splits.within", "readers.mat", "metrics.scores"} <= set(torch_free)
    assert [name for name in torch_free if "torch" in _foreign(name)] == []


def test_slow_packages_are_imported_where_they_are_used() -> None:
    usual = [name for name in MODULES if _placed(name) not in LATE]
    assert [name for name in usual if SLOW & _foreign(name, at_once=True)] == []
    assert [name for name in usual if SLOW & _foreign(name)]


def test_what_is_imported_by_name_is_there() -> None:
    pattern = re.compile(r'"faultdiag\.([\w.]+):(\w+)"')
    named = {
        match.groups()
        for path in MODULES.values()
        for match in pattern.finditer(path.read_text(encoding="utf-8"))
    }
    assert ("splits.within", "within_recording") in named
    for module, attribute in named:
        body = ast.parse(MODULES[module].read_text(encoding="utf-8")).body
        defined = {n.name for n in body if isinstance(n, ast.FunctionDef | ast.ClassDef)}
        assigned = {
            t.id
            for n in body
            if isinstance(n, ast.Assign)
            for t in n.targets
            if isinstance(t, ast.Name)
        }
        assert attribute in defined | assigned, f"{module}:{attribute}"


def modules_after(code: str, folder: Path) -> set[str]:
    """Run code in a process of its own and return the packages and modules it imported."""
    report = "\nimport sys\nprint()\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code + report],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.splitlines()[-1].split())


def run(*arguments: str) -> str:
    """Return code that runs a command of faultdiag and continues when it ends."""
    return (
        "import sys\nfrom faultdiag.cli.app import main\n"
        f"sys.argv = {['faultdiag', *arguments]!r}\n"
        "try:\n    main()\nexcept SystemExit as end:\n    assert end.code in {0, 1}, end.code"
    )


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    path = tmp_path / "105.mat"
    signal = np.random.default_rng(0).standard_normal((24_000, 1))
    savemat(path, {"X105_DE_time": signal, "X105RPM": np.array([[1797]], dtype=np.uint16)})
    return path


@pytest.fixture
def bad_config(tmp_path: Path) -> Path:
    path = tmp_path / "bad.yaml"
    path.write_text("window: {length: long}\ntrain: {epochs: 0}\n")
    return path


def test_the_package_itself_imports_nothing_slow(tmp_path: Path) -> None:
    found = modules_after("import faultdiag\nfaultdiag.FaultdiagError", tmp_path)
    assert "faultdiag.errors" in found
    assert not found & {"torch", "numpy", "pydantic", "yaml", *SLOW}


def test_help_comes_at_once(tmp_path: Path) -> None:
    found = modules_after(run("--help"), tmp_path)
    assert "faultdiag.cli.app" in found
    assert not found & {"torch", "numpy", "pydantic", "yaml", *SLOW}


def test_help_of_a_command_imports_nothing_that_the_command_uses(tmp_path: Path) -> None:
    helps = "\n".join(run(name, "--help") for name in COMMANDS)
    assert not modules_after(helps, tmp_path) & {"torch", "numpy", "yaml", *SLOW}


def test_a_bad_config_is_told_without_torch(tmp_path: Path, bad_config: Path) -> None:
    for command in ("check", "train"):
        found = modules_after(run(command, "--config", str(bad_config)), tmp_path)
        assert "faultdiag.config.schema" in found
        assert not found & {"torch", *SLOW}


def test_starters_need_neither_torch_nor_numpy(tmp_path: Path) -> None:
    found = modules_after(run("init", "demo"), tmp_path)
    assert (tmp_path / "demo.yaml").is_file()
    assert not found & {"torch", "numpy", *SLOW}


def test_reading_a_recording_needs_no_torch(tmp_path: Path, recording: Path) -> None:
    code = f"import faultdiag\nassert faultdiag.read_recording({str(recording)!r}).samples == 24000"
    assert not modules_after(code, tmp_path) & {"torch", "sklearn", "matplotlib"}


def test_inspecting_a_recording_needs_no_torch(tmp_path: Path, recording: Path) -> None:
    found = modules_after(run("inspect", str(recording), "--sampling-rate", "12000"), tmp_path)
    assert "faultdiag.evidence.inspection" in found
    assert not found & {"torch", "sklearn", "matplotlib"}
