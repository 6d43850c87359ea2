"""What a small model might answer to some of the starter prompts, for pictures of the dashboard."""

from __future__ import annotations

from typing import Final

KINDS: Final = ("good", "fair", "short", "poor")
"""What the answers to a prompt are, in their order."""

ANSWERS: Final[dict[str, tuple[str, str, str, str]]] = {
    "Why does bread dough need time to rise before baking?": (
        "Yeast eats the sugars in the dough and gives off carbon dioxide. The gas is caught in "
        "the stretchy gluten, so the dough swells.\n\nTime matters for two things:\n\n"
        "- **Texture**: small bubbles make a light crumb.\n"
        "- **Taste**: a slow rise gives the flour time to develop flavour.",
        "Dough rises because of yeast, a living organism. If you bake it at once, the bread will "
        "be dense, so it is better to wait about an hour in a warm place.",
        "So the yeast can make bubbles.",
        "Bread dough needs time because baking is a process that takes time. After the time has "
        "passed, the dough is ready, and then it has risen.",
    ),
    "How do I get candle wax out of a tablecloth?": (
        "1. Let the wax **harden**; an ice cube helps.\n2. Scrape off what you can with a blunt "
        "knife.\n3. Put kitchen paper above and below the spot, and iron it on low heat. The "
        "paper takes up the wax.\n4. Wash the cloth as usual.",
        "Put the tablecloth in the freezer and then break the wax off. Some colour may stay "
        "behind; try a stain remover for that.",
        "Iron it through kitchen paper.",
        "Candle wax is made of paraffin. Tablecloths are often made of cotton. Wash it very hot "
        "together with your other clothes.",
    ),
    "What causes the tides to come in and go out twice a day?": (
        "Mostly the Moon. Its pull is stronger on the near side of the Earth than on the far "
        "side, so the sea is stretched into **two bulges**. As the Earth turns, a coast passes "
        "through both of them each day: two high tides, some 12 hours and 25 minutes apart.",
        "The gravity of the Moon and of the Sun pulls at the water. When both pull in one line, "
        "the tides are higher.",
        "The Moon's gravity.",
        "Tides come in and go out because the sea is moving. In the morning it comes in, and in "
        "the evening it goes out again with the wind.",
    ),
    "I have a job interview on Friday. What should I do the night before?": (
        "- Read the job advert once more, and think of **one example** for each thing they ask "
        "for.\n- Put out your clothes, papers and the address.\n- Prepare two questions of your "
        "own.\n- Then stop, eat something, and go to bed early.",
        "Practise your answers in front of a mirror and look up the company on the internet. Do "
        "not forget to sleep well.",
        "Prepare your clothes and sleep.",
        "Job interviews are important. On Friday you will have the interview, so Thursday is the "
        "night before. Good luck with the job!",
    ),
    "How often should I water a cactus that sits on a sunny windowsill?": (
        "In spring and summer about **every two weeks**, and only once the soil is dry all the "
        "way down. In winter once a month is enough. Too much water kills more cacti than too "
        "little.",
        "A cactus needs very little water. Give it some every week or two, and make sure that "
        "the pot has a hole.",
        "Every two weeks.",
        "Plants need water every day to grow. A cactus is a plant from the desert, where it is "
        "sunny, as on your windowsill.",
    ),
    "What is the difference between a virus and a bacterium?": (
        "| | bacterium | virus |\n|:--|:--|:--|\n| what it is | a whole living cell | genes in a "
        "shell |\n| multiplies | by itself | only inside a cell |\n| antibiotics | often help | "
        "never help |",
        "Bacteria are living cells and can be useful, as in yoghurt. Viruses are much smaller "
        "and need a host. Antibiotics work only against bacteria.",
        "A virus is smaller.",
        "Both a virus and a bacterium can make you ill. You should take antibiotics against both "
        "of them and stay in bed.",
    ),
    "My upstairs neighbour plays loud music at night. How can I raise it politely?": (
        "Choose a calm moment by day, and say what you hear rather than what they do wrong: "
        '"I can hear the bass in my bedroom after eleven. Could we find a time that works for '
        'both of us?" Offer to ring them the next time, so that they notice how far it carries.',
        "Write a friendly note and put it under the door. If that does not help, talk to the "
        "landlord.",
        "Just ask them to turn it down.",
        "You could play louder music yourself, so that they notice how it is. Neighbours should "
        "know that they must be quiet.",
    ),
    "Why do leaves turn red and yellow in autumn?": (
        "In autumn a tree takes the green **chlorophyll** out of its leaves before it drops "
        "them. The yellow was there all along and now shows. Red is made anew, out of sugar that "
        "stays in the leaf on cold, bright days.",
        "The days get shorter, and the tree stops making chlorophyll. Without the green, other "
        "colours can be seen.",
        "Because the chlorophyll goes.",
        "Leaves turn red and yellow because it is autumn, and these are the colours of autumn. "
        "In spring they are green.",
    ),
    "How can I tell whether an egg is still fresh?": (
        "Lay it in a bowl of cold water:\n\n- it lies flat: fresh\n- it stands on one end: use "
        "it soon, cooked through\n- it floats: throw it away\n\nWith age, water leaves through "
        "the shell, and air takes its place.",
        "Crack it into a cup and smell it. A bad egg smells of sulphur at once.",
        "Put it in water: bad eggs float.",
        "An egg is fresh if it is not old. Look at the colour of the shell, which should be "
        "white or brown.",
    ),
    "Give me a simple recipe for pancakes without eggs.": (
        "For eight pancakes:\n\n- 200 g flour, 2 teaspoons baking powder, a pinch of salt\n"
        "- 300 ml milk\n- 1 tablespoon oil\n\nWhisk until smooth, **let it rest for ten "
        "minutes**, and bake small ladles of it in a hot pan until bubbles show; then turn.",
        "Mix flour, milk and a mashed banana, which takes the place of the egg. Fry in butter.",
        "Flour, milk, baking powder. Fry.",
        "Take two eggs, flour and milk. Beat the eggs first, then add the flour. Serve with syrup.",
    ),
    "How does a refrigerator keep food cold?": (
        "It carries heat from the inside to the outside. A liquid **evaporates** in pipes inside "
        "and takes up heat; a compressor squeezes the gas, which gets hot; behind the "
        "refrigerator it gives that heat to the room and is liquid again.",
        "A refrigerator uses a gas that is compressed and cools down again. That is why it is "
        "warm at the back.",
        "With a compressor.",
        "A refrigerator makes cold from electricity and blows it on the food. You should keep "
        "the door closed.",
    ),
    "What is compound interest, in plain words?": (
        "Interest on your interest. Put 100 in an account at 5%, and after a year there are 105. "
        "In the second year the 5% are of 105, not of 100, so there are 110.25. After $n$ years "
        "it is $100 \\cdot 1.05^n$: slow at first, and then **surprisingly fast**.",
        "Compound interest means that your money grows more each year, because the interest is "
        "added to it.",
        "Interest on interest.",
        "Compound interest is a kind of interest that is compound. Banks use it for many "
        "accounts and loans.",
    ),
}

HELD_OUT: Final[dict[str, tuple[str, str]]] = {
    "What is the difference between jam and marmalade?": (
        "Jam is made of any crushed fruit. Marmalade is made of citrus fruit, **with the peel** "
        "in it, which makes it a little bitter.",
        "Jam and marmalade are both sweet spreads made of fruit and sugar. People eat them on "
        "bread in the morning.",
    ),
    "How do whales breathe if they live in the ocean?": (
        "Whales are mammals and breathe air. They come up and empty their lungs through the "
        "blowhole on top of the head in about a second. A sperm whale then stays down for an "
        "hour or more.",
        "Whales breathe with their gills, like other fish, and sometimes come to the top.",
    ),
    "List four things to check before a long car journey.": (
        "1. **Tyres**: pressure and tread, the spare one too\n2. **Oil, coolant and washer "
        "fluid**\n3. **Lights**, all round\n4. **Papers**, a charged phone, and water",
        "Check the car before you go. Check the petrol. Check the map. Check that everybody is "
        "in the car.",
    ),
    "Why does the Moon seem to change shape during the month?": (
        "One half of the Moon is always in sunlight. As it goes round us in a month, we see that "
        "half from different sides: at new moon from behind, at full moon from the front.",
        "The shadow of the Earth falls on the Moon, and it is bigger on some days than on others.",
    ),
    "How should I care for a cast-iron pan?": (
        "Wash it soon, with hot water and a brush; dry it **at once** on the stove; then rub in "
        "a drop of oil while it is warm.",
        "Put it in the dishwasher after use, and keep it in a dry place.",
    ),
    "What did the ancient Egyptians use papyrus for?": (
        "To write on, above all. They also wove the reeds into mats, ropes and sandals, and tied "
        "them into light boats.",
        "Papyrus was used by the ancient Egyptians in ancient Egypt for many things, such as "
        "paper.",
    ),
}
"""To each held-out prompt a better and a worse one."""
