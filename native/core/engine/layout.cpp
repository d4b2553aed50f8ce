#include "core/engine/layout.h"

#include <algorithm>
#include <optional>

#include "core/error.h"
#include "core/grammar/gbnf.h"
#include "core/vision/pixel_pool.h"

namespace vcap {
namespace {

/** A question, read: whether it fits is not known yet. */
struct ReadQuestion {
    PromptTokens prompt;
    std::optional<Constraint> constraint;
    int64_t room = 0;   // positions that question and answer leave to the images; may be negative
};

std::vector<ReadQuestion> read_questions(const std::vector<Question> & questions, const LanguageModel & model) {
    std::vector<ReadQuestion> all;
    for (const Question & question : questions) {
        ReadQuestion read;
        read.prompt = model.tokenizer().prompt(question.prompt);
        if (!question.grammar.empty()) {
            read.constraint.emplace(parse_gbnf(question.grammar), model.token_texts());
        }
        read.room = int64_t{model.context()} - read.prompt.count() - question.max_tokens;
        all.push_back(std::move(read));
    }
    return all;
}

/** The least room that a question leaves to the images, of those that leave `least` or more. */
int64_t room_for_images(const std::vector<ReadQuestion> & questions, int64_t least) {
    int64_t room = INT64_MAX;   // without questions: features alone need no place in a context
    for (const ReadQuestion & question : questions) {
        room = question.room < least ? room : std::min(room, question.room);
    }
    return room;
}

int64_t tokens_of(const std::vector<ImageLayout> & layouts) {
    int64_t tokens = 0;
    for (const ImageLayout & layout : layouts) {
        tokens += layout.tokens;
    }
    return tokens;
}

/** Why a question does not fit beside the images. */
Error overflow(size_t images, int64_t image_tokens, int prompt_tokens, int max_tokens, int context) {
    return {"context_overflow", std::to_string(images) + (images == 1 ? " image needs " : " images need ") +
                                    std::to_string(image_tokens) + " tokens, the prompt " +
                                    std::to_string(prompt_tokens) + " and the answer " + std::to_string(max_tokens) +
                                    ": " + std::to_string(image_tokens + prompt_tokens + max_tokens) + " of " +
                                    std::to_string(context) +
                                    " positions; use less detail, fewer frames, a shorter answer or a longer context"};
}

std::vector<CutImage> cut_all(const ImageProcessor & processor, std::vector<Picture> & pictures,
                              const std::vector<ImageLayout> & layouts) {
    std::vector<CutImage> images;
    for (size_t i = 0; i < pictures.size(); i++) {
        images.push_back({layouts[i], processor.cut(pictures[i], layouts[i])});
        // A picture is much larger than its tiles.
        PixelPool::shared().give_back(std::move(pictures[i].pixels));
    }
    return images;
}

}   // namespace

void lay_out(Job & job, const ImageProcessor & processor, const LanguageModel & language_model) {
    std::vector<Picture> pictures = std::move(job.images.pictures);
    std::vector<Size> sizes;
    for (const Picture & picture : pictures) {
        sizes.push_back(picture.size);
    }
    const Pooling & pooling = job.images.pooling;
    const int64_t least = job.questions.empty() ? 0 : tokens_of(processor.fit(sizes, job.images.detail, pooling, 0));
    std::vector<ReadQuestion> questions = read_questions(job.questions, language_model);
    const std::vector<ImageLayout> layouts =
        processor.fit(sizes, job.images.detail, pooling, room_for_images(questions, least));
    const int64_t tokens = tokens_of(layouts);
    job.captions.resize(questions.size());
    std::vector<Turn> turns;
    for (size_t number = 0; number < questions.size(); number++) {
        const Question & asked = job.questions[number];
        ReadQuestion & read = questions[number];
        if (read.room >= tokens) {
            turns.emplace_back(asked, number, std::move(read.prompt.after), std::move(read.constraint));
        } else {
            job.captions[number] =
                overflow(sizes.size(), least, read.prompt.count(), asked.max_tokens, language_model.context());
        }
    }
    if (turns.empty() && !questions.empty()) {
        throw std::get<Error>(job.captions.front());
    }
    const Pooling & chosen = layouts.empty() ? pooling : layouts.front().pooling;
    job.features = std::make_unique<VisionFeatures>(processor, chosen, cut_all(processor, pictures, layouts));
    if (!turns.empty()) {
        job.sequence.emplace(std::move(questions.front().prompt.before), job.features->tokens(), std::move(turns));
    }
}

}   // namespace vcap
