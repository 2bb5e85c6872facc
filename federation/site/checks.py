"""What this hospital checks in a question before it looks at a single patient.

Each check raises Refused with a public code; the order is that of architecture.md, step 4.
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from federation.disclosure.policy import Policy
from federation.methods.base import Ask, Method
from federation.methods.registry import KINDS, parse
from federation.protocol.keys import PublicIdentity
from federation.query.codebook import Codebook, Variable
from federation.query.errors import QueryError
from federation.query.refusals import Refused
from federation.query.terms import Terms
from federation.site.agreement import check_agreed
from federation.site.data.mapping import Mapped
from federation.site.directory import SiteDirectory
from federation.site.errors import SetupError
from federation.site.settings import StudyHere
from federation.site.step_message import StepMessage

_QUESTIONS_IN_MEMORY = 64
"""As many as a night of rounds has under way at once (federation/site/pipeline.py)."""


@dataclass(frozen=True)
class Question:
    """A question this hospital may answer, as far as can be said without its data."""

    study: StudyHere
    method: Method
    ask: Ask
    mapped: Mapped


class Questions:
    """The questions of the last runs. All messages of a run are about one question, and the hash
    that says so (`run_sha256`) covers everything that it is read from."""

    def __init__(self, directory: SiteDirectory) -> None:
        self._directory = directory
        self._read: OrderedDict[str, Question] = OrderedDict()

    def read(self, asked: StepMessage) -> Question:
        """The question of this message. Raises Refused as `read_question`."""
        found = self._read.pop(asked.run_sha256, None)
        if found is None:
            found = read_question(self._directory, asked)
        while len(self._read) >= _QUESTIONS_IN_MEMORY:
            self._read.popitem(last=False)
        self._read[asked.run_sha256] = found
        return found

    def check(self, question: Question, asked: StepMessage) -> None:
        """As `check_question`, once per run: all that it looks at is the same in all messages."""
        question.ask.once("fits here", lambda _: check_question(self._directory, question, asked))


def read_question(directory: SiteDirectory, asked: StepMessage) -> Question:
    """The question as this hospital understands it: study agreed here, codebook as agreed, query
    well-formed and the one whose hash the message names. Raises Refused."""
    study = directory.settings.studies.get(str(asked.query.get("study")))
    if study is None:
        raise Refused("STUDY_NOT_OPEN")
    ask = _ask(directory, study, asked)
    return Question(study, KINDS[ask.query.kind], ask, directory.mappings[study.mapping])


def check_question(directory: SiteDirectory, question: Question, asked: StepMessage) -> None:
    """Thresholds, roster, kind and variables, fineness, output, in this order. Raises Refused."""
    ask = question.ask
    check_terms(ask.terms, directory.policy)
    check_roster(asked.roster, directory, ask.terms.min_sites)
    check_sites(asked.roster, ask)
    _check_allowed(question.study, ask, question.mapped)
    _check_fineness(question.method, ask)
    check_agreed(question.study, ask, directory.policy)


def _ask(directory: SiteDirectory, study: StudyHere, asked: StepMessage) -> Ask:
    try:
        codebook = Codebook.from_dict(dict(asked.codebook))
    except QueryError:
        raise Refused("DATA_MISMATCH") from None
    # The cut-points of the codebook are what keeps questions coarse: only the agreed ones count.
    if codebook.id != study.codebook or codebook.sha256 != study.codebook_sha256:
        raise Refused("DATA_MISMATCH")
    try:
        query = parse(dict(asked.query), codebook)
        terms = Terms.from_dict(dict(asked.terms))
    except QueryError as error:
        raise Refused("TOO_FINE" if error.code == "TOO_FINE" else "NOT_IN_CATALOGUE") from None
    except ValueError:
        raise Refused("PROTOCOL") from None
    if query.sha256 != asked.query_sha256:
        raise Refused("PROTOCOL")
    return Ask(query=query, codebook=codebook, terms=terms, site=directory.slug)


def check_approval(study: StudyHere, asked: StepMessage, approved_here: bool) -> None:
    """The committee approved exactly this query and, where the hospital wants it, so did a
    person of the hospital."""
    if asked.approval.get("query_sha256") != asked.query_sha256:
        raise Refused("QUERY_NOT_APPROVED")
    if study.approve == "here" and not approved_here:
        raise Refused("QUERY_NOT_APPROVED")


def check_terms(terms: Terms, policy: Policy) -> None:
    """No single threshold may be looser than this hospital's own; `protection` none included."""
    if not terms.at_least_as_strict_as(policy.terms()):
        raise Refused("PROTOCOL")


def check_roster(
    roster: Mapping[str, PublicIdentity], directory: SiteDirectory, least: int
) -> None:
    """At least so many sites, this one among them, each with exactly the keys pinned here."""
    if len(roster) < least or directory.slug not in roster:
        raise Refused("ROSTER")
    if any(directory.peers.get(slug) != identity for slug, identity in roster.items()):
        raise Refused("ROSTER")


def check_sites(roster: Mapping[str, PublicIdentity], ask: Ask) -> None:
    """Exactly the sites that the query names."""
    if ask.query.sites != "all" and set(roster) != set(ask.query.sites):
        raise Refused("ROSTER")


def _check_allowed(study: StudyHere, ask: Ask, mapped: Mapped) -> None:
    if study.kinds is not None and ask.query.kind not in study.kinds:
        raise Refused("NOT_IN_CATALOGUE")
    named = ask.query.variables()
    if study.variables is not None:
        closed = tuple(name for name in named if name not in study.variables)
        if closed:
            raise Refused("NOT_IN_CATALOGUE", closed)
    try:
        answers = mapped.answers(ask.codebook)
    except SetupError:
        raise Refused("DATA_MISMATCH") from None
    if not set(named) <= answers and not (answers and adds_nobody_without(ask)):
        raise Refused("DATA_MISMATCH")


def adds_nobody_without(ask: Ask) -> bool:
    """Whether a hospital takes part with zeros where it does not record what is asked, as it does
    with too few patients: in a question by_site under protection. There each hospital's own answer
    says whom it counts; and of the same hospitals for every indicator of a round nothing can be
    subtracted, where fewer hospitals for one of them would have it refused (ROSTER)."""
    return ask.strict and ask.query.output == "by_site"


def _check_fineness(method: Method, ask: Ask) -> None:
    """Rule G4, and the number of conditions of a cohort, and of an outcome that is a condition."""
    terms = ask.terms
    trees = [ask.query.cohort, *([ask.query.condition] if ask.query.condition else [])]
    if any(sum(1 for _ in tree.leaves()) > terms.max_filter_terms for tree in trees):
        raise Refused("SMALL_GROUP")
    for name in ask.query.variables():
        variable = ask.codebook.variables[name]
        if variable.type == "date" and terms.date_grid == "year" and variable.resolution != "year":
            raise Refused("TOO_FINE")
    cut = {name for tree in trees for name in tree.variables()}
    for name in cut | _groupings(method, ask):
        if _year_step(ask.codebook.variables[name]) < terms.age_grid_years:
            raise Refused("TOO_FINE")


def _groupings(method: Method, ask: Ask) -> set[str]:
    """The variables that split the patients into groups by their cut-points or values."""
    found: set[str] = set()
    for parameter in method.parameters:
        if getattr(parameter, "groupable", False):
            found |= set(parameter.variables(ask.params[parameter.name], ask.codebook))
    return found


def _year_step(variable: Variable) -> float:
    """The narrowest step between cut-points of a variable in years; the tails are open."""
    if variable.unit not in ("year", "years") or len(variable.cuts) < 2:
        return float("inf")
    return min(high - low for low, high in pairwise(variable.cuts))
