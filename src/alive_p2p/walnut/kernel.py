"""The names inside a walnut's kernel, and what its files look like when they are empty.

Paths are relative to the walnut, `/`-separated, as they are in a package.
"""

KERNEL = "_kernel"
KEY = "_kernel/key.md"
LOG = "_kernel/log.md"
INSIGHTS = "_kernel/insights.md"
TASKS = "_kernel/tasks.json"
COMPLETED = "_kernel/completed.json"
CONFIG = "_kernel/config.yaml"
NOW = "_kernel/now.json"
LEDGER = "_kernel/imports.json"
GENERATED = "_kernel/_generated"
"""Where the projection of layout v2 lies; never shared."""
PRIVATE = "_kernel/.p2p"
"""Our own bookkeeping: what was sent, and what undo needs. Never leaves."""

SHARED = frozenset(["key.md", "log.md", "insights.md", "tasks.json", "completed.json", "config.yaml"])
"""What of a kernel can leave, by its name inside `_kernel`; everything else stays at home (format.md §6)."""

WORK = frozenset([TASKS, COMPLETED])
"""What of a kernel an update merges, task by task (receive.md §5)."""

GUARDED = frozenset(["key.md", "log.md", "insights.md"])
"""What of a kernel leaves reduced or as a stub, or as the gate allows; by these a kernel of another name is known."""

BUNDLE_MANIFEST = "context.manifest.yaml"
V1_BUNDLE_MANIFEST = "companion.md"
BUNDLE_MANIFESTS = (BUNDLE_MANIFEST, V1_BUNDLE_MANIFEST)
BUNDLE_TASKS = "tasks.json"
V2_BUNDLE_TASKS = "tasks.md"

V2_CONTAINER = "bundles"
V1_CORE = "_core"
V1_CONTAINER = "_core/_capsules"

WORLD_MARK = ".alive"
ARCHIVE = "01_Archive"
INBOX = "03_Inbox"
WORLD_FOLDERS = (ARCHIVE, "02_Life", INBOX, "04_Ventures", "05_Experiments")
"""The five folders by which a world is known even without a settings file in `.alive/`."""

EMPTY_TASKS = b'{"tasks": []}\n'
EMPTY_COMPLETED = b'{"completed": []}\n'

SMALL_FILE_LIMIT = 16 << 20
"""Bytes up to which a kernel or bundle text file is read whole; larger ones are not what they claim to be."""

LEDGER_LIMIT = 256 << 20
"""Bytes up to which a ledger is read: it holds a line per received file."""
