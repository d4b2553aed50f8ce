#include "core/grammar/grammar.h"

#include <algorithm>
#include <queue>

#include "core/error.h"

namespace vcap {
namespace {

constexpr uint32_t LAST_CHARACTER = 0x10FFFF;
constexpr CharacterRange SURROGATES{0xD800, 0xDFFF};

// Characters of the shortest text that a rule may have: what an answer that is cut is completed by.
constexpr uint64_t MAX_SHORTEST = 100'000;

void append_utf8(uint32_t character, std::string & text) {
    const auto later = [&](int bits) { text += static_cast<char>(0x80 | ((character >> bits) & 0x3F)); };
    if (character < 0x80) {
        text += static_cast<char>(character);
    } else if (character < 0x800) {
        text += static_cast<char>(0xC0 | (character >> 6));
        later(0);
    } else if (character < 0x10000) {
        text += static_cast<char>(0xE0 | (character >> 12));
        later(6);
        later(0);
    } else {
        text += static_cast<char>(0xF0 | (character >> 18));
        later(12);
        later(6);
        later(0);
    }
}

/** Where a rule is used in an alternative of another, or in how far such an alternative is known. */
struct Alternative {
    uint32_t rule;
    uint32_t number;        // among the rule's alternatives
    uint64_t length = 0;    // of what is known of it
    uint32_t unknown = 0;   // references to rules that are not known
};

/**
 * The shortest text of each rule, as Knuth (1977, "A Generalization of Dijkstra's Algorithm") finds it: rules become
 * known in the order of their lengths, so that a rule's shortest alternative refers to rules alone that were known
 * before it, and never leads back to itself.
 */
void find_shortest(Grammar & grammar) {
    std::vector<Alternative> alternatives;
    std::vector<std::vector<uint32_t>> users(grammar.rules.size());   // of a rule: numbers of alternatives
    std::vector<bool> known(grammar.rules.size());
    using Found = std::pair<uint64_t, uint32_t>;   // length and number of an alternative without unknown rules
    std::priority_queue<Found, std::vector<Found>, std::greater<>> found;
    for (uint32_t rule = 0; rule < grammar.rules.size(); rule++) {
        const std::vector<uint32_t> & firsts = grammar.rules[rule].alternatives;
        for (uint32_t number = 0; number < firsts.size(); number++) {
            const auto index = static_cast<uint32_t>(alternatives.size());
            Alternative alternative{rule, number};
            for (uint32_t at = firsts[number]; !grammar.ends(at); at++) {
                if (grammar.elements[at].kind == GrammarElement::rule) {
                    users[grammar.elements[at].index].push_back(index);
                    alternative.unknown++;
                } else {
                    alternative.length++;
                }
            }
            if (alternative.unknown == 0) {
                found.push({alternative.length, index});
            }
            alternatives.push_back(alternative);
        }
    }
    while (!found.empty()) {
        const auto [length, index] = found.top();
        found.pop();
        const uint32_t rule = alternatives[index].rule;
        if (known[rule]) {
            continue;
        }
        known[rule] = true;
        if (length > MAX_SHORTEST) {
            throw Error("usage", "The grammar's rule " + grammar.rules[rule].name + " has no text of at most " +
                                     std::to_string(MAX_SHORTEST) + " characters: repeat less in it");
        }
        grammar.rules[rule].shortest = alternatives[index].number;
        grammar.rules[rule].length = static_cast<uint32_t>(length);
        for (const uint32_t user : users[rule]) {
            alternatives[user].length += length;
            if (--alternatives[user].unknown == 0) {
                found.push({alternatives[user].length, user});
            }
        }
    }
    for (uint32_t rule = 0; rule < known.size(); rule++) {
        if (!known[rule]) {
            throw Error("usage", "The grammar's rule " + grammar.rules[rule].name +
                                     " never ends: give it an alternative that does not lead back to it");
        }
    }
}

/** The rules that a text of this rule may begin with. */
std::vector<uint32_t> first_rules(const Grammar & grammar, const GrammarRule & rule) {
    std::vector<uint32_t> firsts;
    for (uint32_t at : rule.alternatives) {
        for (; grammar.elements[at].kind == GrammarElement::rule; at++) {
            firsts.push_back(grammar.elements[at].index);
            if (grammar.rules[firsts.back()].length > 0) {
                break;
            }
        }
    }
    return firsts;
}

/** Throws where a rule may begin with itself: to find out what comes next would take forever. */
void refuse_left_recursion(const Grammar & grammar) {
    enum class Mark : uint8_t { fresh, open, done };
    std::vector<Mark> marks(grammar.rules.size(), Mark::fresh);
    struct Visit {
        uint32_t rule;
        std::vector<uint32_t> firsts;
    };
    for (uint32_t start = 0; start < marks.size(); start++) {
        std::vector<Visit> path;
        const auto enter = [&](uint32_t rule) {
            if (marks[rule] == Mark::open) {
                throw Error("usage", "The grammar's rule " + grammar.rules[rule].name +
                                         " may begin with itself, or repeats what may be empty: let it begin with a "
                                         "character");
            }
            if (marks[rule] == Mark::fresh) {
                marks[rule] = Mark::open;
                path.push_back({rule, first_rules(grammar, grammar.rules[rule])});
            }
        };
        enter(start);
        while (!path.empty()) {
            Visit & visit = path.back();
            if (visit.firsts.empty()) {
                marks[visit.rule] = Mark::done;
                path.pop_back();
                continue;
            }
            const uint32_t next = visit.firsts.back();
            visit.firsts.pop_back();
            enter(next);
        }
    }
}

}   // namespace

CharacterSet to_character_set(std::vector<CharacterRange> ranges, bool negated) {
    ranges.push_back({0, 0});   // what no set has, so that it is in a set's complement and taken out below
    ranges.push_back(SURROGATES);
    std::sort(ranges.begin(), ranges.end());
    CharacterSet joined;
    for (const CharacterRange & range : ranges) {
        if (!joined.empty() && range.low <= joined.back().high + 1) {
            joined.back().high = std::max(joined.back().high, range.high);
        } else {
            joined.push_back(range);
        }
    }
    CharacterSet set;
    uint32_t low = 0;
    const auto add = [&](uint32_t from, uint32_t to) {   // without the surrogates and 0
        from = std::max(from, uint32_t{1});
        to = std::min(to, LAST_CHARACTER);
        if (from < SURROGATES.low && from <= to) {
            set.push_back({from, std::min(to, SURROGATES.low - 1)});
        }
        from = std::max(from, SURROGATES.high + 1);
        if (from <= to) {
            set.push_back({from, to});
        }
    };
    for (const CharacterRange & range : joined) {
        if (!negated) {
            add(range.low, range.high);
        } else if (range.low > low) {
            add(low, range.low - 1);
        }
        low = range.high + 1;
    }
    if (negated && low <= LAST_CHARACTER) {
        add(low, LAST_CHARACTER);
    }
    return set;
}

bool contains(const CharacterSet & set, uint32_t character) { return intersects(set, character, character); }

bool intersects(const CharacterSet & set, uint32_t low, uint32_t high) {
    for (const CharacterRange & range : set) {
        if (range.high >= low) {
            return range.low <= high;
        }
    }
    return false;
}

void Grammar::append_shortest(uint32_t element, std::string & text) const {
    std::vector<uint32_t> open{element};   // elements to go on with, the next one last
    while (!open.empty()) {
        const uint32_t at = open.back();
        open.pop_back();
        if (ends(at)) {
            continue;
        }
        open.push_back(at + 1);
        if (elements[at].kind == GrammarElement::rule) {
            const GrammarRule & rule = rules[elements[at].index];
            open.push_back(rule.alternatives[rule.shortest]);
        } else {
            append_utf8(sets[elements[at].index].front().low, text);
        }
    }
}

uint64_t Grammar::shortest_length(uint32_t element) const {
    uint64_t length = 0;
    for (uint32_t at = element; !ends(at); at++) {
        length += elements[at].kind == GrammarElement::rule ? rules[elements[at].index].length : 1;
    }
    return length;
}

void complete_rules(Grammar & grammar) {
    find_shortest(grammar);
    refuse_left_recursion(grammar);
}

}   // namespace vcap
