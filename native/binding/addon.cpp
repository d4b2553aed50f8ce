#include <napi.h>

#include "binding/environment.h"
#include "binding/errors.h"
#include "binding/from_js.h"
#include "binding/loading.h"
#include "binding/model.h"
#include "binding/resampling.h"
#include "binding/testing.h"
#include "binding/to_js.h"
#include "binding/values.h"
#include "core/cuda_gpus.h"
#include "core/grammar/gbnf.h"
#include "core/language/vocabulary.h"
#include "core/process.h"

#ifdef VCAP_RPC
#include "ggml-rpc.h"
#endif

namespace vcap {
namespace {

/** devices(rpc): NativeDevice[] */
Napi::Value devices(const Napi::CallbackInfo & info) {
    const Napi::Env env = info.Env();
    return guarded(env, [&]() -> Napi::Value {
        return to_array(env, list_devices(to_strings(info[0])),
                        [env](const Device & device) { return to_js(env, device); });
    });
}

/** inspect(model, mmproj, chatTemplate): NativeModelFacts */
Napi::Value inspect(const Napi::CallbackInfo & info) {
    const Napi::Env env = info.Env();
    return guarded(env, [&]() -> Napi::Value {
        const GgufFile mmproj(info[1].ToString());
        return to_js(env, read_model_facts(open_model_files(info[0].ToString()), mmproj, info[2].ToString()));
    });
}

/** promptTokens(model, mmproj, chatTemplate, prompt): NativePrompt */
Napi::Value prompt_tokens(const Napi::CallbackInfo & info) {
    const Napi::Env env = info.Env();
    return guarded(env, [&]() -> Napi::Value {
        const GgufFile mmproj(info[1].ToString());
        const std::vector<std::shared_ptr<const GgufFile>> model = open_model_files(info[0].ToString());
        const ModelFacts facts = read_model_facts(model, mmproj, info[2].ToString());
        const Vocabulary vocabulary(*model.front(), facts.chat_template);
        return to_js(env, vocabulary.tokenizer(), vocabulary.tokenizer().prompt(info[3].ToString()));
    });
}

/** checkGrammar(grammar): throws usage */
Napi::Value check_grammar(const Napi::CallbackInfo & info) {
    const Napi::Env env = info.Env();
    return guarded(env, [&]() -> Napi::Value {
        parse_gbnf(info[0].ToString());
        return env.Undefined();
    });
}

/** fit(mmproj, sizes, detail, room, pooling): NativeImageLayout[] */
Napi::Value fit(const Napi::CallbackInfo & info) {
    const Napi::Env env = info.Env();
    return guarded(env, [&]() -> Napi::Value {
        const std::unique_ptr<ImageProcessor> processor = open_image_processor(GgufFile(info[0].ToString()));
        const std::vector<ImageLayout> layouts = processor->fit(to_sizes(info[1]), to_detail(info[2].ToString()),
                                                                to_pooling(info[4]), info[3].ToNumber().Int64Value());
        return to_array(env, layouts, [env](const ImageLayout & layout) { return to_js(env, layout); });
    });
}

/** endWithParent() */
void end_with_parent(const Napi::CallbackInfo &) { vcap::end_with_parent(); }

/** runOnCpus(cpus) */
Napi::Value run_on_cpus(const Napi::CallbackInfo & info) {
    const Napi::Env env = info.Env();
    return guarded(env, [&]() -> Napi::Value {
        vcap::run_on_cpus(to_integers(info[0]));
        return env.Undefined();
    });
}

/** NativeBuild's whyNoCudaGpu, looked up when it is read: it starts the driver. */
Napi::Value why_no_cuda_gpu(const Napi::CallbackInfo & info) {
    return Napi::String::New(info.Env(), vcap::why_no_cuda_gpu());
}

/** NativeBuild's cudaLibraries, looked up when they are read: it opens them. */
Napi::Value cuda_libraries(const Napi::CallbackInfo & info) {
    const Napi::Env env = info.Env();
    return to_array(env, vcap::cuda_libraries(), [env](const CudaLibrary & library) { return to_js(env, library); });
}

/** shutdown(): stops all models and loads of this environment and waits for their threads. */
void shutdown(const Napi::CallbackInfo & info) {
    const std::set<Stoppable *> running = Environment::of(info.Env()).running;
    for (Stoppable * work : running) {
        work->stop();
    }
}

/** NativeBuild: what this addon was compiled with. */
Napi::Object build(Napi::Env env) {
    Napi::Object object = Napi::Object::New(env);
    object.Set("llamaCpp", VCAP_LLAMA_CPP_TAG);
    Napi::Array backends = Napi::Array::New(env);
    backends.Set(backends.Length(), "CPU");
#ifdef VCAP_CUDA
    backends.Set(backends.Length(), "CUDA");
#endif
#ifdef VCAP_RPC
    backends.Set(backends.Length(), "RPC");
#endif
    object.Set("backends", backends);
    object.DefineProperty(Napi::PropertyDescriptor::Accessor<why_no_cuda_gpu>("whyNoCudaGpu", napi_enumerable));
    object.DefineProperty(Napi::PropertyDescriptor::Accessor<cuda_libraries>("cudaLibraries", napi_enumerable));
#ifdef VCAP_RPC
    Napi::Array protocol = Napi::Array::New(env);
    protocol.Set(0u, RPC_PROTO_MAJOR_VERSION);
    protocol.Set(1u, RPC_PROTO_MINOR_VERSION);
    object.Set("rpcProtocol", protocol);
#endif
#ifdef VCAP_SANITIZE
    object.Set("sanitized", true);
#else
    object.Set("sanitized", false);
#endif
    return object;
}

Napi::Object init(Napi::Env env, Napi::Object exports) {
    auto * environment = new Environment{Napi::Persistent(Model::define(env)), {}, {}};
    env.SetInstanceData(environment);   // deletes it when the environment ends
    exports.Set("build", build(env));
    exports.Set("shutdown", Napi::Function::New(env, shutdown));
    exports.Set("devices", Napi::Function::New(env, devices));
    exports.Set("inspect", Napi::Function::New(env, inspect));
    exports.Set("promptTokens", Napi::Function::New(env, prompt_tokens));
    exports.Set("checkGrammar", Napi::Function::New(env, check_grammar));
    exports.Set("fit", Napi::Function::New(env, fit));
    exports.Set("resample", Napi::Function::New(env, resample));
    exports.Set("loadModel", Napi::Function::New(env, load_model));
    exports.Set("endWithParent", Napi::Function::New(env, end_with_parent));
    exports.Set("runOnCpus", Napi::Function::New(env, run_on_cpus));
    exports.Set("testing", testing(env));
    return exports;
}

NODE_API_MODULE(vcap_native, init)

}   // namespace
}   // namespace vcap
