"""What an admin may set on a room: one document, one table, one file.

`TABLE` names every key with its type, range, default, meaning and when it takes effect. `parse` reads a
document (TOML) and refuses all of it for one wrong value; `Settings` is the result: immutable, compared by
value, and turned into the configuration, the policy and the trust that are in force. `SettingsFile` keeps
the present document and the one before.

The device maker's file (`conclaved.service.config`) gives what the admin does not.
"""

from conclaved.service.settings.document import Settings, parse
from conclaved.service.settings.errors import SettingsError
from conclaved.service.settings.settings_file import SettingsFile
from conclaved.service.settings.table import BY_KEY, TABLE, Effect, Kind, Setting

__all__ = [
    "BY_KEY",
    "TABLE",
    "Effect",
    "Kind",
    "Setting",
    "Settings",
    "SettingsError",
    "SettingsFile",
    "parse",
]
