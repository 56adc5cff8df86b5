"""What the embedded model reads: sources, their shares of the tokens, and their licences.

The shares favour short, modern registers (captions, news, forums, simple statements) in which
the text after a sentence depends on that sentence. Nothing here touches files.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """One corpus file and how it is used.

    Attributes
    ----------
    name : str
        The file's name without `.txt` or `.txt.xz`.
    share : float
        Weight among the sources, in tokens seen; the shares need not add up to 1.
    register, origin, licence : str
        For the model card.
    shuffle : bool
        Whether the order of a document's lines is free, and drawn anew in each epoch.
    """

    name: str
    share: float
    register: str
    origin: str
    licence: str
    shuffle: bool = False


MIX: tuple[Source, ...] = (
    Source("captions_coco", 3.4, "image captions", "COCO annotations", "CC BY 4.0", shuffle=True),
    Source(
        "forum_stackexchange",
        2.0,
        "forum questions and answers",
        "Stack Exchange dumps",
        "CC BY-SA 3.0/4.0",
    ),
    Source("enwiki2018_part", 2.0, "encyclopedia", "Wikipedia extracts", "CC BY-SA 3.0"),
    Source("news_wikinews", 1.0, "news", "Wikinews and GUM news", "CC BY 2.5"),
    Source(
        "nltk_open",
        1.0,
        "speeches, mixed, film reviews",
        "NLTK open corpora",
        "public domain / CC BY / free",
    ),
    Source("web_ewt", 0.8, "e-mail, blogs, reviews", "UD English-EWT", "CC BY-SA 4.0"),
    Source(
        "stories_children",
        0.75,
        "simple stories",
        "African Storybook, Pratham Books",
        "CC BY or public domain",
    ),
    Source("dialogue_sgd", 0.5, "task dialogue", "Schema-Guided Dialogue", "CC BY-SA 4.0"),
    Source(
        "gum_pud_misc",
        0.3,
        "travel, biography, academic, court",
        "GUM, UD PUD",
        "CC BY, CC BY-SA",
    ),
    Source("qa_medquad", 0.3, "public FAQ", "MedQuAD", "CC BY 4.0"),
    Source(
        "gutenberg_sample",
        0.3,
        "books, mostly before 1930",
        "Project Gutenberg",
        "US public domain",
    ),
    Source(
        "captions_other",
        0.3,
        "captions, spatial statements",
        "NLVR2, NLVR, Visual Spatial Reasoning, ImageInWords (human)",
        "CC BY 4.0; Apache-2.0",
    ),
    Source("reviews_products", 0.25, "product reviews", "NLTK product reviews", "CC BY 4.0"),
    Source("tatoeba_en", 0.25, "single sentences", "Tatoeba", "CC BY 2.0"),
    Source("news_hhs", 0.2, "press releases", "US HHS", "US public domain"),
    Source("dialogue_taskmaster4", 0.1, "task dialogue", "Taskmaster-4", "CC BY 4.0"),
    Source("commonvoice_en", 0.1, "single sentences", "Common Voice", "CC0"),
    Source(
        "questions_short",
        0.1,
        "short questions",
        "query-wellformedness, banking77, clinc",
        "CC BY-SA 4.0, CC BY 4.0, CC BY 3.0",
    ),
)
