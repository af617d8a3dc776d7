# How our own code is compiled: strictly, and with the sanitizers asked for.

function(tickmesh_compile_options target)
  target_compile_options(${target} PRIVATE -Wall -Wextra)
  if(CMAKE_CXX_COMPILER_ID STREQUAL "GNU" AND CMAKE_CXX_COMPILER_VERSION VERSION_LESS 13)
    # GCC 12 sees overlapping copies in the assignment of a short literal to a string.
    target_compile_options(${target} PRIVATE -Wno-restrict)
  endif()
  get_target_property(type ${target} TYPE)
  if(TICKMESH_SANITIZE AND type STREQUAL "EXECUTABLE")
    target_sources(${target} PRIVATE "${PROJECT_SOURCE_DIR}/cmake/sanitizer_options.cc")
  endif()
endfunction()

if(TICKMESH_SANITIZE)
  add_compile_options(-fsanitize=${TICKMESH_SANITIZE} -fno-omit-frame-pointer)
  add_link_options(-fsanitize=${TICKMESH_SANITIZE})
  if(TICKMESH_SANITIZE MATCHES "undefined")
    # An undefined operation ends the program, so that no test can pass over it. `vptr` needs the
    # type information of classes that Arrow and gRPC keep to themselves. `alignment` would fault
    # Arrow's accessors: columns that Flight received lie where the transport left them, and aligning
    # them would copy every row.
    add_compile_options(-fno-sanitize-recover=undefined -fno-sanitize=vptr,alignment)
  endif()
endif()
