"""What is shipped: a wheel and an sdist built from this tree, used outside the checkout."""

import os
import re
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FRONT_END = ["rlhf_lab/widgets/static/ranker.js", "rlhf_lab/widgets/static/ranker.css"]
PACKAGE_DATA = [*FRONT_END, "rlhf_lab/data/starter.jsonl", "rlhf_lab/py.typed"]


def build(source: Path, out: Path, *kinds: str, env: dict[str, str] | None = None) -> None:
    """Build with the backend installed here: no download, and the very versions under test."""
    command = [sys.executable, "-m", "build", "--no-isolation", "--outdir", str(out), *kinds]
    done = subprocess.run(
        [*command, str(source)], capture_output=True, text=True, env=env, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    build(ROOT, out, "--wheel", "--sdist")
    return out


@pytest.fixture(scope="module")
def wheel(built: Path) -> Path:
    (path,) = built.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def sdist_root(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    (archive,) = built.glob("*.tar.gz")
    unpacked = tmp_path_factory.mktemp("sdist")
    with tarfile.open(archive) as tar:
        tar.extractall(unpacked, filter="data")
    (root,) = unpacked.iterdir()
    return root


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing but the installed wheel; its dependencies stay in the environment."""
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--no-index"]
    subprocess.run([*command, "--target", str(target), str(wheel)], check=True)
    return target


def run_outside(code: str, site: Path, cwd: Path) -> str:
    """Run code where the installed wheel is importable and the checkout is not."""
    hide = f"import sys; sys.path[:] = [p for p in sys.path if p not in ('', {str(ROOT)!r})]\n"
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", hide + code],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_installed_wheel_imports_from_its_own_folder_and_not_the_checkout(installed, tmp_path):
    where = run_outside("import rlhf_lab; print(rlhf_lab.__file__)", installed, tmp_path)
    assert Path(where).is_relative_to(installed)


def test_importing_the_package_loads_no_torch(installed, tmp_path):
    run_outside("import rlhf_lab; assert 'torch' not in sys.modules", installed, tmp_path)


@pytest.mark.parametrize("file", PACKAGE_DATA)
def test_installed_wheel_has_its_data(installed, tmp_path, file):
    package, *inside = file.split("/")
    code = (
        "from importlib.resources import files\n"
        f"print(len(files({package!r}).joinpath(*{inside!r}).read_bytes()))"
    )
    size = int(run_outside(code, installed, tmp_path))
    assert size > 0 or file.endswith("py.typed")


def test_wheel_has_every_front_end_file_that_was_built(wheel):
    static = ROOT / "rlhf_lab" / "widgets" / "static"
    on_disk = {
        p.relative_to(ROOT).as_posix() for p in static.glob("*") if p.suffix in {".js", ".css"}
    }
    shipped = set(zipfile.ZipFile(wheel).namelist())
    assert on_disk >= set(FRONT_END)
    assert on_disk <= shipped


def test_wheel_has_every_migration(wheel):
    migrations = ROOT / "rlhf_lab" / "store" / "migrations"
    needed = {p.relative_to(ROOT).as_posix() for p in migrations.rglob("*.py")}
    assert any(re.search(r"/versions/\w+\.py$", name) for name in needed), "no revision at all"
    assert needed <= set(zipfile.ZipFile(wheel).namelist())


def test_wheel_and_sdist_have_every_file_of_the_dashboard(wheel, sdist_root):
    files = [p for p in (ROOT / "rlhf_lab" / "dashboard").rglob("*") if p.is_file()]
    needed = {p.relative_to(ROOT).as_posix() for p in files if p.parent.name != "__pycache__"}
    assert {Path(name).suffix for name in needed} >= {".py", ".jinja", ".css", ".js", ".svg"}
    assert needed <= set(zipfile.ZipFile(wheel).namelist())
    assert [name for name in needed if not (sdist_root / name).is_file()] == []


def test_sdist_has_what_servers_are_set_up_with(sdist_root):
    for file in (ROOT / "deploy").iterdir():
        assert (sdist_root / "deploy" / file.name).is_file(), file.name


def test_wheel_holds_the_package_and_its_metadata_only(wheel):
    tops = {name.split("/")[0] for name in zipfile.ZipFile(wheel).namelist()}
    assert tops == {"rlhf_lab", f"rlhf_lab-{version('rlhf-lab')}.dist-info"}


def test_wheel_installs_the_command(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (n for n in archive.namelist() if n.endswith("entry_points.txt"))
        assert "rlhf-lab = rlhf_lab.cli:app" in archive.read(name).decode()


def test_sdist_has_the_front_end_as_source_and_as_bundle(sdist_root):
    for file in [*FRONT_END, "hatch_build.py", "constraints.txt", "widgets/package-lock.json"]:
        assert (sdist_root / file).is_file(), file
    sources = {p.relative_to(ROOT) for p in (ROOT / "widgets" / "src").rglob("*") if p.is_file()}
    assert sources
    assert [p for p in sources if not (sdist_root / p).is_file()] == []
    assert not list(sdist_root.rglob("node_modules"))


def test_wheel_from_the_sdist_needs_no_node(sdist_root, wheel, tmp_path):
    """An installer without Node gets the bundle of the sdist, byte for byte."""
    bare = {**os.environ, "PATH": str(tmp_path)}
    build(sdist_root, tmp_path, "--wheel", env=bare)
    (again,) = tmp_path.glob("*.whl")
    for file in FRONT_END:
        assert zipfile.ZipFile(again).read(file) == zipfile.ZipFile(wheel).read(file)


def test_version_is_written_once(wheel, installed, tmp_path):
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert wheel.name.startswith(f"rlhf_lab-{declared}-")
    assert (
        run_outside("import rlhf_lab; print(rlhf_lab.__version__)", installed, tmp_path) == declared
    )
    literal = re.compile(rf"""["']{re.escape(declared)}["']""")
    copies = [p for p in (ROOT / "rlhf_lab").rglob("*.py") if literal.search(p.read_text("utf-8"))]
    assert copies == []
