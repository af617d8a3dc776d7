# The generated code of the contract, made in the build directory from proto/: target tickmesh_stubs.
#
# Lite messages: they register nothing in protobuf's process-wide pool, so that a program may hold
# stubs of its own from the same files beside this library.

find_package(Protobuf REQUIRED)

set(TICKMESH_GOOGLEAPIS_DIR "" CACHE PATH "Folder that holds google/rpc/*.proto; by default that of the Python package googleapis-common-protos")
if(NOT TICKMESH_GOOGLEAPIS_DIR)
  if(TICKMESH_PYTHON)
    set(python "${TICKMESH_PYTHON}")
  else()
    find_package(Python3 COMPONENTS Interpreter REQUIRED)
    set(python "${Python3_EXECUTABLE}")
  endif()
  execute_process(
    COMMAND "${python}" -c "import google.rpc, pathlib; print(pathlib.Path(google.rpc.__path__[0]).parent.parent, end='')"
    OUTPUT_VARIABLE googleapis
    RESULT_VARIABLE result
    ERROR_VARIABLE error)
  if(NOT result EQUAL 0)
    message(FATAL_ERROR "google/rpc/*.proto not found: run `${python} -m pip install googleapis-common-protos`, or set "
                        "TICKMESH_PYTHON to a Python that has it, or TICKMESH_GOOGLEAPIS_DIR\n${error}")
  endif()
else()
  set(googleapis "${TICKMESH_GOOGLEAPIS_DIR}")
endif()

set(proto_root "${TICKMESH_REPOSITORY}/proto")
set(stubs_folder "${CMAKE_CURRENT_BINARY_DIR}/stubs")
file(MAKE_DIRECTORY "${stubs_folder}")

# The rooms that C++ programs talk to. Cleaning is driven from Python.
file(GLOB_RECURSE contract CONFIGURE_DEPENDS RELATIVE "${proto_root}" "${proto_root}/tickmesh/api/registry/*.proto"
     "${proto_root}/tickmesh/api/tickstore/*.proto")
list(TRANSFORM contract PREPEND "${proto_root}/" OUTPUT_VARIABLE contract_files)

set(stubs "")
foreach(proto IN LISTS contract ITEMS google/rpc/status.proto google/rpc/error_details.proto)
  string(REGEX REPLACE "\\.proto$" "" stem "${proto}")
  set(outputs "${stubs_folder}/${stem}.pb.cc" "${stubs_folder}/${stem}.pb.h")
  set(command protobuf::protoc "--proto_path=${proto_root}" "--proto_path=${googleapis}"
              "--cpp_out=lite:${stubs_folder}")
  if(proto MATCHES "_service\\.proto$")
    list(APPEND outputs "${stubs_folder}/${stem}.grpc.pb.cc" "${stubs_folder}/${stem}.grpc.pb.h")
    list(APPEND command "--plugin=protoc-gen-grpc=$<TARGET_FILE:gRPC::grpc_cpp_plugin>"
         "--grpc_out=${stubs_folder}")
  endif()
  add_custom_command(
    OUTPUT ${outputs}
    COMMAND ${command} ${proto}
    DEPENDS ${contract_files}
    COMMENT "Generating stubs of ${proto}"
    VERBATIM)
  list(APPEND stubs ${outputs})
endforeach()

add_library(tickmesh_stubs STATIC ${stubs})
# Generated code is not held to our warnings, nor instrumented: that would be most of the build's time.
target_compile_options(tickmesh_stubs PRIVATE -w)
if(TICKMESH_SANITIZE)
  target_compile_options(tickmesh_stubs PRIVATE -fno-sanitize=all)
endif()
target_include_directories(tickmesh_stubs SYSTEM PUBLIC "${stubs_folder}")
target_link_libraries(tickmesh_stubs PUBLIC gRPC::grpc++ protobuf::libprotobuf)
