#include "core/grammar/gbnf.h"

#include <algorithm>
#include <cctype>
#include <map>
#include <optional>
#include <unordered_map>

#include "core/error.h"
#include "core/grammar/matcher.h"
#include "core/language/utf8.h"

namespace vcap {
namespace {

// What a text may ask for. Nothing that people write comes near, and nobody's memory or stack is used up.
constexpr size_t MAX_TEXT = 1 << 20;
constexpr size_t MAX_ELEMENTS = 400'000;
constexpr uint32_t MAX_TIMES = 10'000;
constexpr int MAX_DEPTH = 200;

constexpr uint32_t NO_LIMIT = UINT32_MAX;

/** Elements in the making: a rule's alternatives before they are laid out in one row. */
using Elements = std::vector<GrammarElement>;

class Parser {
public:
    explicit Parser(const std::string & text) : characters_(code_points(text)) {}

    Grammar parse() {
        skip_space(true);
        while (at_ < characters_.size()) {
            parse_rule();
        }
        for (const auto & [name, use] : first_uses_) {
            if (!defined_[use.rule]) {
                at_ = use.at;
                fail("there is no rule " + name);
            }
        }
        const auto root = numbers_.find("root");
        if (root == numbers_.end()) {
            throw Error("usage", "The grammar has no rule root, which a whole answer is of: name one so");
        }
        grammar_.root = root->second;
        return std::move(grammar_);
    }

private:
    struct Use {
        uint32_t rule;
        size_t at;
    };

    [[noreturn]] void fail(const std::string & what) const {
        const auto end = characters_.begin() + static_cast<ptrdiff_t>(std::min(at_, characters_.size()));
        throw Error("usage", "The grammar's line " + std::to_string(1 + std::count(characters_.begin(), end, '\n')) +
                                 " cannot be read: " + what);
    }

    uint32_t peek(size_t ahead = 0) const { return at_ + ahead < characters_.size() ? characters_[at_ + ahead] : 0; }
    bool take(char character) {
        if (at_ >= characters_.size() || characters_[at_] != static_cast<uint32_t>(character)) {
            return false;
        }
        at_++;
        return true;
    }
    void require(char character) {
        if (!take(character)) {
            fail(std::string("expected ") + character);
        }
    }

    void skip_space(bool across_lines) {
        for (; at_ < characters_.size(); at_++) {
            const uint32_t character = characters_[at_];
            if (character == '#') {
                while (at_ + 1 < characters_.size() && peek(1) != '\n' && peek(1) != '\r') {
                    at_++;
                }
            } else if (character != ' ' && character != '\t' &&
                       !(across_lines && (character == '\n' || character == '\r'))) {
                return;
            }
        }
    }

    static bool is_digit(uint32_t c) { return c >= '0' && c <= '9'; }
    static bool is_of_name(uint32_t c) {
        return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || is_digit(c);
    }

    std::string parse_name() {
        std::string name;
        while (is_of_name(peek())) {
            name += static_cast<char>(peek());
            at_++;
        }
        if (name.empty()) {
            fail("expected a rule's name");
        }
        return name;
    }

    uint32_t number_of(const std::string & name) {
        const auto [entry, is_new] = numbers_.emplace(name, static_cast<uint32_t>(grammar_.rules.size()));
        if (is_new) {
            add_rule(name);
            defined_.back() = false;
        }
        return entry->second;
    }

    uint32_t add_rule(const std::string & name) {
        grammar_.rules.push_back({name, {}});
        defined_.push_back(true);
        return static_cast<uint32_t>(grammar_.rules.size() - 1);
    }

    void add_alternative(uint32_t rule, const Elements & elements) {
        if (grammar_.elements.size() + elements.size() + 1 > MAX_ELEMENTS) {
            throw Error("usage", "The grammar is too large: repeat less in it, or less often");
        }
        grammar_.rules[rule].alternatives.push_back(static_cast<uint32_t>(grammar_.elements.size()));
        grammar_.elements.insert(grammar_.elements.end(), elements.begin(), elements.end());
        grammar_.elements.push_back({GrammarElement::end, 0});
    }

    GrammarElement characters(const CharacterSet & set) {
        if (set.empty()) {
            fail("a set without characters");
        }
        const auto [entry, is_new] = sets_.emplace(set, static_cast<uint32_t>(grammar_.sets.size()));
        if (is_new) {
            grammar_.sets.push_back(set);
        }
        return {GrammarElement::characters, entry->second};
    }

    void parse_rule() {
        const size_t begin = at_;
        const std::string name = parse_name();
        skip_space(false);
        if (peek() != ':' || peek(1) != ':' || peek(2) != '=') {
            fail("expected ::= after the name " + name);
        }
        const uint32_t rule = number_of(name);
        if (defined_[rule]) {
            at_ = begin;
            fail("a second rule " + name);
        }
        defined_[rule] = true;
        at_ += 3;
        skip_space(true);
        parse_alternatives(rule, 0);
        if (at_ < characters_.size() && peek() != '\n' && peek() != '\r') {
            fail("nothing can be meant by what stands there in rule " + name);
        }
        skip_space(true);
    }

    void parse_alternatives(uint32_t rule, int depth) {
        do {
            add_alternative(rule, parse_sequence(rule, depth));
            if (peek() != '|') {
                return;
            }
            at_++;
            skip_space(true);
        } while (true);
    }

    /** A sequence of items, each with what it is repeated by. */
    Elements parse_sequence(uint32_t rule, int depth) {
        Elements all;
        while (std::optional<Elements> item = parse_item(rule, depth)) {
            skip_space(depth > 0);
            while (parse_repetition(rule, *item, depth)) {
            }
            all.insert(all.end(), item->begin(), item->end());
            if (all.size() > MAX_ELEMENTS) {
                throw Error("usage", "The grammar is too large: repeat less in it, or less often");
            }
        }
        return all;
    }

    std::optional<Elements> parse_item(uint32_t rule, int depth) {
        if (take('"')) {
            return parse_literal();
        }
        if (take('[')) {
            return Elements{parse_set()};
        }
        if (take('.')) {
            return Elements{characters(to_character_set({}, true))};
        }
        if (take('(')) {
            if (depth >= MAX_DEPTH) {
                fail("more than " + std::to_string(MAX_DEPTH) + " groups within each other");
            }
            skip_space(true);
            const uint32_t group = add_rule(grammar_.rules[rule].name);
            parse_alternatives(group, depth + 1);
            require(')');
            return Elements{{GrammarElement::rule, group}};
        }
        if (is_of_name(peek())) {
            const size_t begin = at_;
            const std::string name = parse_name();
            const uint32_t number = number_of(name);
            first_uses_.emplace(name, Use{number, begin});
            return Elements{{GrammarElement::rule, number}};
        }
        if (peek() == '<' || peek() == '!') {
            fail("tokens, such as <|end|>, are not taken: a grammar is of text here");
        }
        if (peek() == '*' || peek() == '+' || peek() == '?' || peek() == '{') {
            fail("nothing stands before the repetition");
        }
        return std::nullopt;
    }

    Elements parse_literal() {
        Elements literal;
        while (!take('"')) {
            const uint32_t character = parse_character();
            if (character == 0 || (character >= 0xD800 && character <= 0xDFFF)) {
                fail("a character that no text has");
            }
            literal.push_back(characters({{character, character}}));
        }
        return literal;
    }

    GrammarElement parse_set() {
        const bool negated = take('^');
        std::vector<CharacterRange> ranges;
        while (!take(']')) {
            const uint32_t low = parse_character();
            uint32_t high = low;
            if (peek() == '-' && peek(1) != ']') {
                at_++;
                high = parse_character();
            }
            if (high < low) {
                fail("a range of characters that ends before it begins");
            }
            ranges.push_back({low, high});
        }
        return characters(to_character_set(std::move(ranges), negated));
    }

    uint32_t parse_character() {
        if (at_ >= characters_.size()) {
            fail("the text ends within quotes or brackets");
        }
        if (!take('\\')) {
            return characters_[at_++];
        }
        const uint32_t escape = peek();
        at_++;
        switch (escape) {
            case 'x': return parse_hex(2);
            case 'u': return parse_hex(4);
            case 'U': return parse_hex(8);
            case 't': return '\t';
            case 'r': return '\r';
            case 'n': return '\n';
            case '\\':
            case '"':
            case '[':
            case ']':
            case '-': return escape;
            default: fail("expected one of \\t \\r \\n \\\\ \\\" \\[ \\] \\- \\x \\u \\U after a backslash");
        }
    }

    uint32_t parse_hex(int digits) {
        uint32_t value = 0;
        for (int i = 0; i < digits; i++, at_++) {
            const uint32_t digit = peek();
            if (digit > 127 || std::isxdigit(static_cast<int>(digit)) == 0) {
                fail("expected " + std::to_string(digits) + " hexadecimal digits");
            }
            value = value * 16 + (is_digit(digit) ? digit - '0' : (digit | 0x20) - 'a' + 10);
        }
        if (value > 0x10FFFF) {
            fail("there is no such character");
        }
        return value;
    }

    uint32_t parse_times() {
        if (!is_digit(peek())) {
            fail("expected a number of times");
        }
        uint32_t times = 0;
        for (; is_digit(peek()); at_++) {
            times = std::min(times * 10 + (peek() - '0'), MAX_TIMES + 1);
        }
        if (times > MAX_TIMES) {
            fail("a repetition of more than " + std::to_string(MAX_TIMES) + " times");
        }
        return times;
    }

    /** Repeats the item as what stands behind it says. False where nothing does. */
    bool parse_repetition(uint32_t rule, Elements & item, int depth) {
        uint32_t least = 0;
        uint32_t most = NO_LIMIT;
        if (take('*')) {
        } else if (take('+')) {
            least = 1;
        } else if (take('?')) {
            most = 1;
        } else if (take('{')) {
            skip_space(depth > 0);
            least = parse_times();
            most = least;
            skip_space(depth > 0);
            if (take(',')) {
                skip_space(depth > 0);
                most = is_digit(peek()) ? parse_times() : NO_LIMIT;
                skip_space(depth > 0);
            }
            require('}');
            if (most < least) {
                fail("a repetition whose greatest number is less than its least");
            }
        } else {
            return false;
        }
        skip_space(depth > 0);
        item = repeat(rule, std::move(item), least, most);
        return true;
    }

    /**
     * S{m,n} as S S … R(n-m), where R(i) is S R(i-1) or nothing, and R(1) S or nothing; without a limit R is S R or
     * nothing. S is one element, a rule of its own where it has more, so that repetitions within each other add up
     * instead of multiplying.
     */
    Elements repeat(uint32_t rule, Elements item, uint32_t least, uint32_t most) {
        const std::string name = grammar_.rules[rule].name;
        if (item.empty()) {
            return item;
        }
        if (item.size() > 1) {
            const uint32_t one = add_rule(name);
            add_alternative(one, item);
            item = {{GrammarElement::rule, one}};
        }
        Elements all(least, item.front());
        const uint32_t optional = most == NO_LIMIT ? 1 : most - least;
        Elements rest;
        for (uint32_t i = 0; i < optional; i++) {
            const uint32_t next = add_rule(name);
            Elements more{item.front()};
            if (most == NO_LIMIT) {
                more.push_back({GrammarElement::rule, next});
            } else {
                more.insert(more.end(), rest.begin(), rest.end());
            }
            add_alternative(next, more);
            add_alternative(next, {});
            rest = {{GrammarElement::rule, next}};
        }
        all.insert(all.end(), rest.begin(), rest.end());
        return all;
    }

    std::vector<uint32_t> characters_;
    size_t at_ = 0;
    Grammar grammar_;
    std::unordered_map<std::string, uint32_t> numbers_;   // of the rules that have a name in the text
    std::vector<bool> defined_;                           // [rules]
    std::map<std::string, Use> first_uses_;
    std::map<CharacterSet, uint32_t> sets_;
};

}   // namespace

std::shared_ptr<const Grammar> parse_gbnf(const std::string & text) {
    if (text.size() > MAX_TEXT) {
        throw Error("usage", "The grammar has " + std::to_string(text.size()) + " bytes: at most " +
                                 std::to_string(MAX_TEXT) + " are read");
    }
    auto grammar = std::make_shared<Grammar>(Parser(valid_utf8(text)).parse());
    complete_rules(*grammar);
    if (Matcher(grammar).overflows()) {
        throw Error("usage", "The grammar can begin in too many ways: give it fewer optional parts in a row");
    }
    return grammar;
}

}   // namespace vcap
