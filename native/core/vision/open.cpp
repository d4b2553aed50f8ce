#include "core/vision/llava/processor.h"
#include "core/vision/llava/tower.h"
#include "core/vision/vision.h"

namespace vcap {
namespace {

/** Throws model_invalid unless the file is a projector of the one family there is: LLaVA's CLIP tower and MLP. */
void require_llava(const GgufFile & file) {
    const std::string architecture = file.find_string("general.architecture").value_or("");
    if (architecture != "clip") {
        file.invalid("this is not a vision projector but a model of architecture '" + architecture +
                     "'; the language model and its projector may have changed places");
    }
    if (!file.find_bool("clip.has_vision_encoder").value_or(false)) {
        file.invalid("clip.has_vision_encoder is not true; this projector has no vision tower");
    }
    // Files of 2023 lack the type and say has_llava_projector instead.
    const std::optional<std::string> type = file.find_string("clip.projector_type");
    const bool llava = type ? *type == "mlp" : file.find_bool("clip.has_llava_projector").value_or(false);
    if (!llava) {
        file.invalid("clip.projector_type is '" + type.value_or("") + "'; only LLaVA's 'mlp' is supported");
    }
    if (file.find_tensor("mm.3.weight") != nullptr) {
        file.invalid("tensor mm.3.weight is there: this is Yi-VL's normed projector, not LLaVA's");
    }
    if (file.find_bool("clip.use_gelu").value_or(false) || file.find_bool("clip.use_silu").value_or(false)) {
        file.invalid("clip.use_gelu or clip.use_silu is true; LLaVA's CLIP tower uses quick GELU");
    }
}

}   // namespace

std::unique_ptr<ImageProcessor> open_image_processor(const GgufFile & projector) {
    require_llava(projector);
    return std::make_unique<llava::Processor>(llava::read_config(projector));
}

std::unique_ptr<VisionModel> open_vision_model(const GgufFile & projector, ggml_backend_dev_t device,
                                               const CpuThreads & threads) {
    require_llava(projector);
    const llava::Config config = llava::read_config(projector);
    return std::make_unique<llava::Tower>(projector, config, device, llava::choose_arithmetic(config, device), threads);
}

}   // namespace vcap
