"""Sound cards of the kernel.

    cards.py       what a device's name says, and whether its card is plugged in
    listening.py   from a card's samples to Opus, through FFmpeg, in a thread
    microphone.py  driver `alsa` of the slot microphone
    mixing.py      several voices and one announcement, 20 ms at a time
    playing.py     samples to a card, through `aplay`
    speaker.py     driver `alsa` of the slot speaker

Name a card by its id, `hw:CARD=...` (`/proc/asound/cards`), and not by its number: numbers change with the
order of plugging in. `plughw:CARD=...` converts where the card has other rates or sample formats.
"""
