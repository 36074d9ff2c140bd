"""What the panel says, a language a file; `words` says what there is to say.

words_of("de").leave
"""

from conclave_hal.pixels.language.arabic import ARABIC
from conclave_hal.pixels.language.english import ENGLISH
from conclave_hal.pixels.language.german import GERMAN
from conclave_hal.pixels.language.japanese import JAPANESE
from conclave_hal.pixels.language.words import Plural, Words

LANGUAGES = {words.language: words for words in (ENGLISH, GERMAN, ARABIC, JAPANESE)}


def words_of(language: str) -> Words:
    """The words of `en`, `de`, `ar` or `ja`; English for what is not there."""
    return LANGUAGES.get(language, ENGLISH)


__all__ = ["LANGUAGES", "Plural", "Words", "words_of"]
