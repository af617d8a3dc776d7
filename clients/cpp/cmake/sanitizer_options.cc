// What the sanitizers are told in every program of a sanitized build. Only libraries that are not
// ours, and that were not compiled for the sanitizer, may be named here.

#if defined(__SANITIZE_THREAD__)
#include <cstdlib>

namespace {

// Arrow's own allocators hand memory from thread to thread by atomics that ThreadSanitizer does not
// see; the system's it knows. Read by Arrow when it first needs memory.
[[maybe_unused]] const int known_allocator = setenv("ARROW_DEFAULT_MEMORY_POOL", "system", 1);

}  // namespace
#endif

// Asked for by the sanitizers' own libraries, which see only what a program exports.
#pragma GCC visibility push(default)
extern "C" {

const char* __asan_default_options() {
  return "detect_stack_use_after_return=1:strict_string_checks=1:check_initialization_order=1";
}

const char* __ubsan_default_options() { return "print_stacktrace=1"; }

// OpenSSL keeps the errors and random generators of each thread under keys of that thread, and
// drops the keys when the program exits, not what they hold: what gRPC's threads made that still
// run then is found unreachable. Our code allocates nothing through it, and what owns a connection
// is judged.
const char* __lsan_default_suppressions() {
  return "leak:CRYPTO_malloc\n"
         "leak:CRYPTO_zalloc\n"
         "leak:CRYPTO_realloc\n";
}

// gRPC and Arrow synchronise by atomics that ThreadSanitizer does not see, so that what they do
// among themselves looks like races: only accesses that our own code makes are judged.
const char* __tsan_default_options() { return "ignore_noninstrumented_modules=1"; }

// The copies, fills and locks that these libraries make through functions ThreadSanitizer replaces
// are seen all the same: what lies between them is not. Debian's gRPC with Abseil; Arrow's own.
const char* __tsan_default_suppressions() {
  return "race:libabsl_\n"
         "race:libgrpc\n"
         "race:libgpr\n"
         "race:libarrow\n"
         "mutex:libabsl_\n"
         "mutex:libgrpc\n"
         "deadlock:libgrpc\n"
         "deadlock:libarrow\n";
}

}  // extern "C"
#pragma GCC visibility pop
