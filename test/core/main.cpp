// vcap_core_test [PART-OF-A-NAME]: runs the tests whose names contain it, from the repository's root.
#include <cstring>

#include "check.h"

int main(int argc, char ** argv) {
    const char * wanted = argc > 1 ? argv[1] : "";
    int passed = 0;
    int failed = 0;
    for (const check::Test & test : check::tests()) {
        if (std::strstr(test.name, wanted) == nullptr) {
            continue;
        }
        try {
            test.body();
            passed++;
            std::printf("ok   %s\n", test.name);
        } catch (const std::exception & error) {
            failed++;
            std::printf("FAIL %s\n     %s\n", test.name, error.what());
        }
        std::fflush(stdout);
    }
    std::printf("core: %d passed, %d failed\n", passed, failed);
    return failed == 0 && passed > 0 ? 0 : 1;
}
