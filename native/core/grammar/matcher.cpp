#include "core/grammar/matcher.h"

#include <algorithm>
#include <unordered_set>

namespace vcap {
namespace {

// Ways that are followed at once. A grammar in which one text has more derivations than that ends where it would.
constexpr size_t MAX_STACKS = 4096;
// Stacks remembered, after which those out of use are forgotten; and how many there may ever be.
constexpr size_t MANY_NODES = 50'000;
constexpr size_t MAX_NODES = 500'000;

/** Bytes of the character that begins with this one; 0 where none does. */
int character_length(uint8_t lead) {
    if (lead < 0x80) return 1;
    if (lead >= 0xC2 && lead <= 0xDF) return 2;
    if (lead >= 0xE0 && lead <= 0xEF) return 3;
    if (lead >= 0xF0 && lead <= 0xF4) return 4;
    return 0;
}

/** The least character of so many bytes: one below is spelt with more bytes than it needs, which is no UTF-8. */
uint32_t least_character(int length) {
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    return least[length];
}

}   // namespace

Matcher::Matcher(std::shared_ptr<const Grammar> grammar)
    : grammar_(std::move(grammar)), nodes_{{0, EMPTY}}, many_(MANY_NODES) {
    std::vector<uint32_t> & stacks = state_.stacks;
    for (const uint32_t first : grammar_->rules[grammar_->root].alternatives) {
        const std::vector<uint32_t> & more = expand(grammar_->ends(first) ? EMPTY : push(first, EMPTY));
        stacks.insert(stacks.end(), more.begin(), more.end());
    }
    std::sort(stacks.begin(), stacks.end());
    stacks.erase(std::unique(stacks.begin(), stacks.end()), stacks.end());
    overflows_ = overflows_ || stacks.size() > MAX_STACKS;
}

uint32_t Matcher::push(uint32_t element, uint32_t below) {
    const auto next = static_cast<uint32_t>(nodes_.size());
    const auto [entry, is_new] = numbers_.emplace(uint64_t{element} << 32 | below, next);
    if (is_new) {
        nodes_.push_back({element, below});
        overflows_ = overflows_ || nodes_.size() > MAX_NODES;
    }
    return entry->second;
}

/** The stack that is left behind its top. */
uint32_t Matcher::behind(uint32_t element, uint32_t below) {
    return grammar_->ends(element + 1) ? below : push(element + 1, below);
}

/** The stacks that one becomes whose top is a rule: one for each set of characters that may come next. */
const std::vector<uint32_t> & Matcher::expand(uint32_t stack) {
    const auto [entry, is_new] = expansions_.try_emplace(stack);
    if (!is_new) {
        return entry->second;
    }
    std::vector<uint32_t> found;
    std::vector<uint32_t> open{stack};
    std::unordered_set<uint32_t> seen{stack};
    while (!open.empty() && !overflows_) {
        const uint32_t next = open.back();
        open.pop_back();
        const Node node = nodes_[next];
        if (next == EMPTY || grammar_->elements[node.element].kind == GrammarElement::characters) {
            found.push_back(next);
            continue;
        }
        const uint32_t rest = behind(node.element, node.below);
        for (const uint32_t first : grammar_->rules[grammar_->elements[node.element].index].alternatives) {
            const uint32_t one = grammar_->ends(first) ? rest : push(first, rest);
            if (seen.insert(one).second) {
                open.push_back(one);
            }
        }
        overflows_ = overflows_ || seen.size() > 4 * MAX_STACKS;
    }
    return entry->second = std::move(found);
}

/** Whether a set at the top of a stack has a character that begins with the bytes that are there. */
bool Matcher::fits_partly(const State & state) const {
    const int bits = 6 * state.missing;
    const uint32_t low = std::max(state.character << bits, least_character(state.bytes + state.missing));
    const uint32_t high = (state.character << bits) | ((1u << bits) - 1);
    return low <= high && std::any_of(state.stacks.begin(), state.stacks.end(), [&](uint32_t stack) {
               return stack != EMPTY &&
                      intersects(grammar_->sets[grammar_->elements[nodes_[stack].element].index], low, high);
           });
}

/** Takes a whole character. */
bool Matcher::step(const State & from, uint32_t character, State & to) {
    to.stacks.clear();
    to.character = 0;
    to.bytes = to.missing = 0;
    for (const uint32_t stack : from.stacks) {
        const Node node = nodes_[stack];
        if (stack == EMPTY || !contains(grammar_->sets[grammar_->elements[node.element].index], character)) {
            continue;
        }
        const std::vector<uint32_t> & next = expand(behind(node.element, node.below));
        to.stacks.insert(to.stacks.end(), next.begin(), next.end());
    }
    if (to.stacks.size() > 1) {
        std::sort(to.stacks.begin(), to.stacks.end());
        to.stacks.erase(std::unique(to.stacks.begin(), to.stacks.end()), to.stacks.end());
    }
    return !to.stacks.empty() && to.stacks.size() <= MAX_STACKS && !overflows_;
}

bool Matcher::advance(const State & from, uint8_t byte, State & to) {
    if (from.missing == 0) {
        const int length = character_length(byte);
        if (length == 1) {
            return step(from, byte, to);
        }
        if (length == 0) {
            return false;
        }
        to.stacks = from.stacks;
        to.character = byte & (0x7F >> length);
        to.bytes = 1;
        to.missing = length - 1;
        return fits_partly(to);
    }
    if ((byte & 0xC0) != 0x80) {
        return false;
    }
    const uint32_t character = (from.character << 6) | (byte & 0x3F);
    if (from.missing == 1) {
        return character >= least_character(from.bytes + 1) && step(from, character, to);
    }
    to.stacks = from.stacks;
    to.character = character;
    to.bytes = from.bytes + 1;
    to.missing = from.missing - 1;
    return fits_partly(to);
}

/** Follows the bytes; where it can, the state that they lead to is in scratch_[0]. */
bool Matcher::walk(std::string_view bytes) {
    scratch_[0] = state_;
    for (const char byte : bytes) {
        if (!advance(scratch_[0], static_cast<uint8_t>(byte), scratch_[1])) {
            return false;
        }
        std::swap(scratch_[0], scratch_[1]);
    }
    return true;
}

bool Matcher::allows(std::string_view bytes) { return walk(bytes); }

bool Matcher::accept(std::string_view bytes) {
    if (!walk(bytes)) {
        return false;
    }
    std::swap(state_, scratch_[0]);
    if (nodes_.size() > many_) {
        compact();
    }
    return true;
}

/** Forgets the stacks that the state is not made of. */
void Matcher::compact() {
    const std::vector<Node> old = std::move(nodes_);
    nodes_ = {{0, EMPTY}};
    numbers_.clear();
    expansions_.clear();
    for (uint32_t & stack : state_.stacks) {
        std::vector<uint32_t> elements;   // from the top down
        for (uint32_t at = stack; at != EMPTY; at = old[at].below) {
            elements.push_back(old[at].element);
        }
        stack = EMPTY;
        for (size_t i = elements.size(); i > 0; i--) {
            stack = push(elements[i - 1], stack);
        }
    }
    std::sort(state_.stacks.begin(), state_.stacks.end());
    many_ = std::max(MANY_NODES, 2 * nodes_.size());
}

std::string Matcher::shortest_end() const {
    uint32_t best = EMPTY;
    uint64_t best_length = UINT64_MAX;
    for (const uint32_t stack : state_.stacks) {
        uint64_t length = 0;
        for (uint32_t at = stack; at != EMPTY; at = nodes_[at].below) {
            length += grammar_->shortest_length(nodes_[at].element);
        }
        if (length < best_length) {
            best = stack;
            best_length = length;
        }
    }
    std::string text;
    for (uint32_t at = best; at != EMPTY; at = nodes_[at].below) {
        grammar_->append_shortest(nodes_[at].element, text);
    }
    return text;
}

}   // namespace vcap
