// Uses the library, and full stubs of a file that the library has stubs of too.

#include <cstdlib>
#include <iostream>

#include "tickmesh/api.h"
#include "tickmesh/api/registry/v1/selector.pb.h"

int main() {
  std::cout << tickmesh::Version::OfLibrary().text << "\n";
  const auto options = tickmesh::ConnectionOptions::FromEnvironment();
  std::cout << options.status().ToString() << "\n";
  tickmesh::api::registry::v1::SubjectSelector selector;
  selector.set_subject("ticks.trades");
  std::cout << selector.ShortDebugString() << std::endl;
  return options.ok() ? EXIT_SUCCESS : EXIT_FAILURE;
}
