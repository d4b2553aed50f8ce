#pragma once

#include <array>
#include <string>
#include <vector>

#include "llama.h"

namespace vcap {

/**
 * Watches the tokens of one answer for a loop: its last tokens are one passage over and over. A language model that has
 * said a passage a few times goes on saying it, each time with more certainty (Holtzman et al. 2020, "The Curious Case
 * of Neural Text Degeneration", section 3), so what follows is nothing but the rest of the token limit.
 *
 * A loop is a passage of 1 to MAX_PERIOD tokens, at least MIN_ROUNDS times in a row to the token, MIN_TOKENS or more in
 * all. Twice is a refrain that people write too; the least length leaves alone what they draw out: dots, a laugh, the
 * digits of a number, a row of dashes. An add() costs MAX_PERIOD comparisons.
 */
class RepetitionWatch {
public:
    static constexpr int MIN_ROUNDS = 3;
    static constexpr int MIN_TOKENS = 32;
    static constexpr int MAX_PERIOD = 256;

    /** Takes the next token. True where a loop is seen from it on: of several the one with the shortest passage. */
    bool add(llama_token token);
    /** Tokens of the passage of the loop seen; 0: none. */
    int period() const { return period_; }
    /** Tokens up to the end of the loop's first round. */
    int first_round_end() const { return first_round_end_; }

private:
    std::vector<llama_token> tokens_;
    std::array<int, MAX_PERIOD> matches_{};   // [period - 1]: last tokens that equal those one period before them
    int period_ = 0;
    int first_round_end_ = 0;
};

/** Whether a text ends with the mark of a sentence's end, in any of the scripts; blanks and quotes may follow it. */
bool ends_sentence(const std::string & text);

}   // namespace vcap
