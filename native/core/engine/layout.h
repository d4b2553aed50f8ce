#pragma once

#include "core/engine/job.h"
#include "core/language/language_model.h"
#include "core/vision/vision.h"

namespace vcap {

/**
 * Makes features and a sequence of what a job asks for: tokenises the questions, reads their grammars, chooses the
 * detail that fits the context and cuts the tiles. The detail is the most that leaves room for every question that has
 * room beside the least detail. A question without room has its error among the job's captions; throws context_overflow
 * where none has room, and usage for a grammar that is none, a size that is not positive, or a pooling that the model
 * cannot do. The pictures are gone afterwards.
 */
void lay_out(Job & job, const ImageProcessor & processor, const LanguageModel & language_model);

}   // namespace vcap
