#include "core/file_watch.h"

#include "core/error.h"

namespace vcap {

FileWatch::FileWatch(const std::vector<std::shared_ptr<const GgufFile>> & files, bool mapped) : mapped_(mapped) {
    for (const std::shared_ptr<const GgufFile> & file : files) {
        files_.push_back({file, mapped ? std::make_unique<MappingGuard>(file->path()) : nullptr, file->file().sample(),
                          file->file().modified()});
    }
}

void FileWatch::require_as_opened() {
    for (Watched & watched : files_) {
        if (watched.file->file().replaced() || changed(watched)) {
            watched.file->invalid("it was changed or replaced while it was being loaded; load it again once it is "
                                  "written");
        }
    }
}

void FileWatch::require_unchanged() {
    if (!mapped_) {
        return;
    }
    for (Watched & watched : files_) {
        if (changed_.empty() && changed(watched)) {
            changed_ = watched.file->path();
        }
    }
    if (!changed_.empty()) {
        throw Error("engine_error", "The model file " + changed_ +
                                        " was changed or cut off while it was in use. Load it again once it is whole; "
                                        "loaded into memory instead of mapped, it can be changed");
    }
}

/** A file that was merely touched, or written again with the same bytes, has not changed. */
bool FileWatch::changed(Watched & watched) const {
    if (watched.guard != nullptr && watched.guard->lost()) {
        return true;
    }
    const OpenFile & file = watched.file->file();
    const std::optional<OpenFile::State> now = file.state();
    if (!now || now->size != file.size()) {
        return true;
    }
    if (now->modified.tv_sec == watched.modified.tv_sec && now->modified.tv_nsec == watched.modified.tv_nsec) {
        return false;
    }
    watched.modified = now->modified;
    return file.sample() != watched.sample;
}

}   // namespace vcap
