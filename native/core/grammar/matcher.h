#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "core/grammar/grammar.h"

namespace vcap {

/**
 * A text on its way through a grammar, byte by byte. It follows all ways at once in which the text may be derived, each
 * as a stack of what is left to come (the pushdown automaton that llama.cpp's grammars are). Stacks share their lower
 * parts. One thread at a time.
 */
class Matcher {
public:
    explicit Matcher(std::shared_ptr<const Grammar> grammar);

    /** Where a text stands. */
    struct State {
        std::vector<uint32_t> stacks;   // in order; each has its top at a set of characters, but for the empty one, 0
        uint32_t character = 0;         // what is there of a character of several bytes
        int bytes = 0;                  // bytes of it
        int missing = 0;                // bytes that it lacks
    };

    const State & state() const { return state_; }
    /** Takes these bytes. False, and nothing is taken, where no text of the grammar goes on so. */
    bool accept(std::string_view bytes);
    /** Whether a text of the grammar may go on with these bytes. */
    bool allows(std::string_view bytes);
    /** Whether the bytes so far are a whole text. */
    bool may_end() const { return state_.missing == 0 && !state_.stacks.empty() && state_.stacks.front() == EMPTY; }
    /** Whether they are, and no longer text begins with them. */
    bool must_end() const { return may_end() && state_.stacks.size() == 1; }
    /**
     * The fewest characters that make a whole text of the bytes so far, or nearly the fewest; those of an unfinished
     * character, `state().bytes` many, are to be dropped first.
     */
    std::string shortest_end() const;
    /** Whether there are more ways to begin than are followed. */
    bool overflows() const { return overflows_; }

    /** One byte from any state of this matcher on. False where no text goes on so. */
    bool advance(const State & from, uint8_t byte, State & to);

private:
    static constexpr uint32_t EMPTY = 0;

    /** A stack: its top, and the stack below it. */
    struct Node {
        uint32_t element;
        uint32_t below;
    };

    uint32_t push(uint32_t element, uint32_t below);
    uint32_t behind(uint32_t element, uint32_t below);
    const std::vector<uint32_t> & expand(uint32_t stack);
    bool fits_partly(const State & state) const;
    bool step(const State & from, uint32_t character, State & to);
    bool walk(std::string_view bytes);
    void compact();

    std::shared_ptr<const Grammar> grammar_;
    State state_;
    State scratch_[2];
    std::vector<Node> nodes_;                                          // [0] is the empty stack
    std::unordered_map<uint64_t, uint32_t> numbers_;                   // of nodes, by what they are
    std::unordered_map<uint32_t, std::vector<uint32_t>> expansions_;   // by stack
    size_t many_;   // stacks remembered, from which on those out of use are forgotten
    bool overflows_ = false;
};

}   // namespace vcap
