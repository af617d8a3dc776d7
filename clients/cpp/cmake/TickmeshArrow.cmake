# Arrow C++ with Flight, under the names of Arrow's own package: Arrow::arrow_shared and
# ArrowFlight::arrow_flight_shared. Used by the build and, installed beside tickmeshConfig.cmake, by
# every project that finds tickmesh.
#
# In this order: targets that the project has already; the pyarrow wheel of TICKMESH_PYTHON, if that
# is set; an installed Arrow (CMAKE_PREFIX_PATH); the pyarrow wheel of the Python that CMake finds.
#
# Sets TICKMESH_ARROW_VERSION (empty for targets that do not tell theirs), and TICKMESH_ARROW_PYTHON
# when Arrow is a wheel's.

set(TICKMESH_ARROW_PYTHON "")
set(TICKMESH_ARROW_VERSION "")
if(NOT TARGET ArrowFlight::arrow_flight_shared AND NOT TICKMESH_PYTHON)
  find_package(Arrow CONFIG QUIET)
  find_package(ArrowFlight CONFIG QUIET)
endif()

if(NOT TARGET ArrowFlight::arrow_flight_shared)
  if(TICKMESH_PYTHON)
    set(TICKMESH_ARROW_PYTHON "${TICKMESH_PYTHON}")
  else()
    find_package(Python3 COMPONENTS Interpreter QUIET)
    set(TICKMESH_ARROW_PYTHON "${Python3_EXECUTABLE}")
  endif()
  if(NOT TICKMESH_ARROW_PYTHON)
    message(FATAL_ERROR "tickmesh needs Arrow C++ with Flight and found neither an installed Arrow nor a Python: "
                        "set CMAKE_PREFIX_PATH to Arrow's prefix, or TICKMESH_PYTHON to a Python that has pyarrow")
  endif()

  execute_process(
    COMMAND "${TICKMESH_ARROW_PYTHON}" -c "
import sys, pyarrow
print(sys.executable, pyarrow.cpp_version, pyarrow.cpp_build_info.so_version, pyarrow.get_include(), pyarrow.get_library_dirs()[0], sep=';', end='')"
    OUTPUT_VARIABLE _tickmesh_wheel
    ERROR_VARIABLE _tickmesh_error
    RESULT_VARIABLE _tickmesh_result)
  if(NOT _tickmesh_result EQUAL 0)
    message(FATAL_ERROR "tickmesh needs Arrow C++ with Flight, and ${TICKMESH_ARROW_PYTHON} has no pyarrow: "
                        "run `${TICKMESH_ARROW_PYTHON} -m pip install pyarrow`, set TICKMESH_PYTHON to a Python that "
                        "has it, or CMAKE_PREFIX_PATH to the prefix of an installed Arrow\n${_tickmesh_error}")
  endif()
  list(GET _tickmesh_wheel 0 TICKMESH_ARROW_PYTHON)
  list(GET _tickmesh_wheel 1 TICKMESH_ARROW_VERSION)
  list(GET _tickmesh_wheel 2 _tickmesh_so_version)
  list(GET _tickmesh_wheel 3 _tickmesh_include)
  list(GET _tickmesh_wheel 4 _tickmesh_libraries)
  foreach(_tickmesh_name arrow arrow_flight)
    set(_tickmesh_library "${_tickmesh_libraries}/lib${_tickmesh_name}.so.${_tickmesh_so_version}")
    if(NOT EXISTS "${_tickmesh_library}")
      message(FATAL_ERROR "expected ${_tickmesh_library} in the pyarrow wheel of ${TICKMESH_ARROW_PYTHON}")
    endif()
    if(_tickmesh_name STREQUAL "arrow")
      set(_tickmesh_target Arrow::arrow_shared)
    else()
      set(_tickmesh_target ArrowFlight::arrow_flight_shared)
    endif()
    add_library(${_tickmesh_target} SHARED IMPORTED)
    # Its soname is its file name, so that programs find it by the rpath CMake gives them.
    set_target_properties(
      ${_tickmesh_target}
      PROPERTIES IMPORTED_LOCATION "${_tickmesh_library}"
                 INTERFACE_INCLUDE_DIRECTORIES "${_tickmesh_include}"
                 INTERFACE_COMPILE_FEATURES cxx_std_20)
  endforeach()
  set_target_properties(ArrowFlight::arrow_flight_shared PROPERTIES INTERFACE_LINK_LIBRARIES Arrow::arrow_shared)
  if(NOT TICKMESH_FIND_QUIETLY)
    message(STATUS "Arrow ${TICKMESH_ARROW_VERSION}: the pyarrow wheel of ${TICKMESH_ARROW_PYTHON}")
  endif()
elseif(Arrow_VERSION)
  set(TICKMESH_ARROW_VERSION "${Arrow_VERSION}")
endif()
