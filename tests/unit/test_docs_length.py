"""What a user may have to read stays short."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGES = ("*.md", "docs/*.md", "docs/design/*.md", "packages/*/README.md")
# References that the program writes: they grow with each key and each rule, and are looked up.
WRITTEN_BY_THE_PROGRAM = {"docs/configuration.md", "docs/rules.md"}
CEILING_WORDS = 24_000


def count_words(root: Path) -> dict[str, int]:
    """Of each page that people write, as `wc -w` does."""
    pages = {
        str(path.relative_to(root)): path
        for pattern in PAGES
        for path in sorted(root.glob(pattern))
    }
    return {
        name: len(path.read_text(encoding="utf-8").split())
        for name, path in pages.items()
        if name not in WRITTEN_BY_THE_PROGRAM
    }


def test_the_documentation_keeps_below_its_ceiling() -> None:
    counts = count_words(ROOT)
    total = sum(counts.values())
    assert {"README.md", "docs/commands.md", "docs/design/undo.md"} <= counts.keys()
    assert total <= CEILING_WORDS, (
        f"the documentation has {total:,} words, {CEILING_WORDS:,} are allowed: "
        f"say each thing once and link to it elsewhere; {counts}"
    )


def test_the_program_says_of_its_own_pages_that_it_writes_them() -> None:
    for name in WRITTEN_BY_THE_PROGRAM:
        head = (ROOT / name).read_text(encoding="utf-8")[:1000]
        assert "by `python -m sparkform." in head, name


def test_a_planted_page_passes_the_ceiling(tmp_path: Path) -> None:
    """In each folder that is counted."""
    folders = [tmp_path / name for name in ("", "docs", "docs/design", "packages/planted")]
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "README.md").write_text("word " * (CEILING_WORDS // len(folders)))
    assert sum(count_words(tmp_path).values()) == CEILING_WORDS
    (folders[1] / "planted.md").write_text("a planted page")
    assert sum(count_words(tmp_path).values()) > CEILING_WORDS
