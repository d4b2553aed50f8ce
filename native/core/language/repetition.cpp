#include "core/language/repetition.h"

#include <algorithm>
#include <initializer_list>

namespace vcap {

bool RepetitionWatch::add(llama_token token) {
    const int before = static_cast<int>(tokens_.size());
    tokens_.push_back(token);
    for (int period = 1; period <= std::min(before, MAX_PERIOD); period++) {
        int & matches = matches_[period - 1];
        matches = tokens_[before - period] == token ? matches + 1 : 0;
        const bool loops = matches >= (MIN_ROUNDS - 1) * period && matches + period >= MIN_TOKENS;
        if (loops && period_ == 0) {
            period_ = period;
            first_round_end_ = before + 1 - matches;
        }
    }
    return period_ > 0;
}

namespace {

/** Takes one of the endings off the text. */
bool drop_ending(std::string & text, std::initializer_list<const char *> endings) {
    for (const std::string ending : endings) {
        if (text.size() >= ending.size() && text.compare(text.size() - ending.size(), ending.size(), ending) == 0) {
            text.resize(text.size() - ending.size());
            return true;
        }
    }
    return false;
}

}   // namespace

bool ends_sentence(const std::string & text) {
    std::string rest = text;
    while (drop_ending(rest, {" ", "\n", "\r", "\t", "\"", "'", ")", "*", "”", "’", "»", "」", "』", "）"})) {
    }
    return drop_ending(rest, {".", "!", "?", "…", "。", "！", "？", "｡", "．", "।", "॥", "؟", "۔", "։", "።", "។", "။"});
}

}   // namespace vcap
