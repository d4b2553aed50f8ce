#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace vcap {

/** Code points from `low` to `high`, both included. */
struct CharacterRange {
    uint32_t low;
    uint32_t high;

    bool operator<(const CharacterRange & other) const {
        return low != other.low ? low < other.low : high < other.high;
    }
};

/** A set of characters: ranges in order that neither touch nor overlap. None has a surrogate or the character 0. */
using CharacterSet = std::vector<CharacterRange>;

/** The ranges as a set, or the characters that are in none of them. */
CharacterSet to_character_set(std::vector<CharacterRange> ranges, bool negated);
bool contains(const CharacterSet & set, uint32_t character);
/** Whether a character of the set lies from `low` to `high`. */
bool intersects(const CharacterSet & set, uint32_t low, uint32_t high);

/** One step of a rule's alternative. */
struct GrammarElement {
    enum Kind : uint32_t {
        end,         // of the alternative
        rule,        // what the rule `index` stands for
        characters   // one character of the set `index`
    };
    Kind kind;
    uint32_t index;
};

/** A rule: one of several alternatives, each given by the number of its first element. */
struct GrammarRule {
    std::string name;
    std::vector<uint32_t> alternatives;
    uint32_t shortest = 0;   // number of the alternative of which the shortest text is
    uint32_t length = 0;     // characters of that text
};

/**
 * A context-free grammar over characters, as parse_gbnf() makes it: every rule is defined, has a text of finite length,
 * and none begins with itself. Constant, so that many answers may be held to it at once.
 */
struct Grammar {
    std::vector<CharacterSet> sets;
    std::vector<GrammarElement> elements;
    std::vector<GrammarRule> rules;
    uint32_t root = 0;   // number of the rule that a whole text is of

    bool ends(uint32_t element) const { return elements[element].kind == GrammarElement::end; }
    /** Appends the shortest text of an alternative from one of its elements on. */
    void append_shortest(uint32_t element, std::string & text) const;
    /** Characters of that text. */
    uint64_t shortest_length(uint32_t element) const;
};

/** Fills in the rules' shortest texts, and throws usage where a rule has none, a very long one or begins with itself.
 */
void complete_rules(Grammar & grammar);

}   // namespace vcap
