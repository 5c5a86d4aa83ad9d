"""How the words of a command are written down for those who read them again."""

import shlex

from hypothesis import example, given
from hypothesis import strategies as st

from providers.connection.command import for_systemd, systemd_line

words = st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=1, max_size=4)


@given(words)
@example(["$HOME", "${HOME}", "$$", "100%", "%n"])
def test_systemd_finds_no_variable_and_no_specifier(given_words):
    for word, said in zip(given_words, for_systemd(*given_words), strict=True):
        assert said.replace("$$", "") == word.replace("$", ""), "no dollar stands alone, and all else is as it was"
        assert said.count("$") == 2 * word.count("$")


@given(words)
@example(["/usr/bin/x y", "", 'say "no"', "back\\slash", "it's", ";", "-@:+!", "$1"])
def test_systemd_run_splits_a_line_into_its_words_again(given_words):
    # Between double quotes a shell's reading of these is systemd's.
    assert shlex.split(systemd_line(*given_words)) == for_systemd(*given_words)
