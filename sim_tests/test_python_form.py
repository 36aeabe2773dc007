"""The Python form: what the package names, and README's example as it is written."""

import re
from pathlib import Path

import ff2loihi

README = Path(__file__).parents[1] / "README.md"


def test_every_name_of_the_package_is_there():
    assert dir(ff2loihi) == ff2loihi.__all__
    assert {"compile", "run", "learn", "verify", "Program", "Dataset", "Options"} <= set(dir(ff2loihi))
    for name in ff2loihi.__all__:
        assert getattr(ff2loihi, name) is not None


def test_the_example_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    [example] = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(example, "README.md", "exec"), {})
    found = re.fullmatch(r"<Program: 164-60, graded, read-out goodness> (\d+\.\d)%\n", capsys.readouterr().out)
    assert float(found[1]) > 60
    assert (tmp_path / "small.ffl").exists()
