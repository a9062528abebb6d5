"""The words of which the demo bookshop's titles, authors and reviews are made."""

SHELVES = (
    "adventure", "biography", "cookery", "fiction", "gardens", "history", "mystery",
    "poetry", "science", "travel",
)  # fmt: skip
ADJECTIVES = (
    "Amber", "Borrowed", "Careful", "Crooked", "Distant", "Early", "Empty", "Foolish",
    "Gentle", "Hidden", "Hollow", "Idle", "Late", "Lost", "Modest", "Narrow",
    "Nervous", "Patient", "Quiet", "Restless", "Silver", "Slow", "Stubborn", "Sudden",
    "Unfinished",
)  # fmt: skip
NOUNS = (
    "Almanac", "Baker", "Bridge", "Cartographer", "Clockmaker", "Compass", "Ferry",
    "Gardener", "Harbour", "Island", "Kettle", "Lantern", "Letter", "Library",
    "Lighthouse", "Meadow", "Orchard", "Postman", "River", "Rookery", "Sailor",
    "Staircase", "Summer", "Telescope", "Umbrella", "Visitor", "Weather", "Winter",
)  # fmt: skip
PATTERNS = (
    "The {adjective} {noun}",
    "A {adjective} {noun}",
    "The {noun} & the {other}",
    "The {noun}'s {adjective} {other}",
    "{adjective} {noun}, {adjective_2} {other}",
)
FIRST_NAMES = (
    "Ada", "Bruno", "Célia", "Dagny", "Edith", "Fyodor", "Greta", "Hugo", "Inès",
    "Jörg", "Katya", "Leopold", "Maud", "Niels", "Odile", "Per", "Rosa", "Søren",
    "Tilda", "Zoë",
)  # fmt: skip
LAST_NAMES = (
    "Abendroth", "Brackenbury", "Castellane", "Dunmore", "Eklund", "Fairweather",
    "Grønvold", "Hathersage", "Ivanov", "Juniper", "Köhler", "Larkspur", "Mostyn",
    "Norwood", "Ormond", "Pemberton", "Quill", "Rosenau", "Sandoval", "Thistlewood",
)  # fmt: skip
OPENINGS = (
    "Nobody expected the {noun} to matter.",
    "It begins with a {noun}, and ends with none.",
    "A book about a {noun}, and about almost everything else.",
    "Everyone in the village had seen the {noun}; nobody would say when.",
)
OPINIONS = (
    "Could not put it down.",
    "Put it down twice, and was right both times.",
    "The chapter on the {noun} alone is worth the price.",
    "My aunt liked it.",
    "Too short by a hundred pages.",
)
