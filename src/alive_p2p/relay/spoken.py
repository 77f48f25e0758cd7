"""Codes that are spoken: `7-crossover-clockwork` (relay.md §5).

A number says where at the rendezvous server the two meet, and two words are the secret: 16 bits of it, which are enough
where each code is good for one guess. The words are those of the PGP word list, which were chosen to be told apart on
the telephone: one of three syllables and one of two, so that one that was left out, or two that were swapped, are
noticed before the guess is used up.
"""

import re
import secrets
from dataclasses import dataclass, field

from alive_p2p.errors import RelayError
from alive_p2p.text import nearest

_CODE = re.compile(r"([1-9][0-9]{0,6})-([a-z]+)-([a-z]+)")
_BETWEEN = re.compile(r"[\s_-]+")
_MOST = 200

_FIRST = """
adroitness adviser aftermath aggregate alkali almighty amulet amusement antenna applicant apollo armistice article
asteroid atlantic atmosphere autopsy babylon backwater barbecue belowground bifocals bodyguard bookseller borderline
bottomless bradbury bravado brazilian breakaway burlington businessman butterfat camelot candidate cannonball
capricorn caravan caretaker celebrate cellulose certify chambermaid cherokee chicago clergyman coherence combustion
commando company component concurrent confidence conformist congregate consensus consulting corporate corrosion
councilman crossover crucifix cumbersome customer dakota decadence december decimal designing detector detergent
determine dictator dinosaur direction disable disbelief disruptive distortion document embezzle enchanting enrollment
enterprise equation equipment escapade eskimo everyday examine existence exodus fascinate filament finicky forever
fortitude frequency gadgetry galveston getaway glossary gossamer graduate gravity guitarist hamburger hamilton
handiwork hazardous headwaters hemisphere hesitate hideaway holiness hurricane hydraulic impartial impetus inception
indigo inertia infancy inferno informant insincere insurgent integrate intention inventive istanbul jamaica jupiter
leprosy letterhead liberty maritime matchmaker maverick medusa megaton microscope microwave midsummer millionaire
miracle misnomer molasses molecule montana monument mosquito narrative nebula newsletter norwegian october ohio
onlooker opulent orlando outfielder pacific pandemic pandora paperweight paragon paragraph paramount passenger
pedigree pegasus penetrate perceptive performance pharmacy phonetic photograph pioneer pocketful politeness positive
potato processor provincial proximate puberty publisher pyramid quantity racketeer rebellion recipe recover repellent
replica reproduce resistor responsive retraction retrieval retrospect revenue revival revolver sandalwood sardonic
saturday savagery scavenger sensation sociable souvenir specialist speculate stethoscope stupendous supportive
surrender suspicious sympathy tambourine telephone therapist tobacco tolerance tomorrow torpedo tradition travesty
trombonist truncated typewriter ultimate undaunted underfoot unicorn unify universe unravel upcoming vacancy vagabond
vertigo virginia visitor vocalist voyager warranty waterloo whimsical wichita wilmington wyoming yesteryear yucatan
""".split()

_SECOND = """
aardvark absurd accrue acme adrift adult afflict ahead aimless algol allow alone ammo ancient apple artist assume
athens atlas aztec baboon backfield backward banjo beaming bedlamp beehive beeswax befriend belfast berserk billiard
bison blackjack blockade blowtorch bluebird bombast bookshelf brackish breadline breakup brickyard briefcase burbank
button buzzard cement chairlift chatter checkup chisel choking chopper christmas clamshell classic classroom cleanup
clockwork cobra commence concert cowbell crackdown cranky crowfoot crucial crumpled crusade cubic dashboard deadbolt
deckhand dogsled dragnet drainage dreadful drifter dropper drumbeat drunken dupont dwelling eating edict egghead
eightball endorse endow enlist erase escape exceed eyeglass eyetooth facial fallout flagpole flatfoot flytrap fracture
framework freedom frighten gazelle geiger glitter glucose goggles goldfish gremlin guidance hamlet highchair hockey
indoors indulge inverse involve island jawbone keyboard kickoff kiwi klaxon locale lockup merit minnow miser mohawk
mural music necklace neptune newborn nightbird oakland obtuse offload optic orca payday peachy pheasant physique
playhouse pluto preclude prefer preshrunk printer prowler pupil puppy python quadrant quiver quota ragtime ratchet
rebirth reform regain reindeer rematch repay retouch revenge reward rhythm ribcage ringbolt robust rocker ruffled
sailboat sawdust scallion scenic scorecard scotland seabird select sentence shadow shamrock showgirl skullcap skydive
slingshot slowdown snapline snapshot snowcap snowslide solo southward soybean spaniel spearhead spellbind spheroid
spigot spindle spyglass stagehand stagnate stairway standard stapler steamship sterling stockman stopwatch stormy
sugar surmount suspense sweatband swelter tactics talon tapeworm tempest tiger tissue tonic topmost tracker transit
trauma treadmill trojan trouble tumor tunnel tycoon uncut unearth unwind uproot upset upshot vapor village virus
vulcan waffle wallet watchword wayside willow woodlark zulu
""".split()


@dataclass(frozen=True)
class SpokenCode:
    """A code.

    Attributes:
        number: where the two meet at the server, which gives these numbers.
        words: what only the two know.
    """

    number: str
    words: tuple[str, str] = field(repr=False)

    def __str__(self) -> str:
        return "-".join((self.number, *self.words))


def new_code(number: str) -> SpokenCode:
    """A fresh code for a number that the server has given."""
    return SpokenCode(number, (secrets.choice(_FIRST), secrets.choice(_SECOND)))


def read_code(text: str) -> SpokenCode:
    """Read a code as somebody has typed it: in any letters, with blanks for hyphens.

    Raises:
        RelayError: `bad-code`: it is none, or a word in it is mistyped; the guess is not used up by that.
    """
    word = _BETWEEN.sub("-", text[:_MOST].strip().lower()).strip("-")
    match = _CODE.fullmatch(word)
    if match is None:
        what = "it is an invitation" if word.startswith("alive1") else "it is a number and two words"
        hint = (
            "`alive-p2p relay accept` takes it" if word.startswith("alive1") else "type it as in 7-crossover-clockwork"
        )
        raise RelayError("bad-code", f"this is not a spoken code: {what}", untouched="everything", hint=hint)
    number, first, second = match.groups()
    for said, known in ((first, _FIRST), (second, _SECOND)):
        if said not in known:
            guess = nearest(said, known)
            raise RelayError(
                "bad-code",
                f"'{said}' is not a word of a spoken code"
                + (", not in this place" if said in {*_FIRST, *_SECOND} else ""),
                untouched="everything; the code is still good",
                hint=f"did they say '{guess}'?" if guess else "ask them to say it once more",
            )
    return SpokenCode(number, (first, second))
