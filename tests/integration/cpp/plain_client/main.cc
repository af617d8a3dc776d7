// Gets the latest version of a subject, then watches the subject from there,
// with generated stubs and nothing else: `plain_client <host:port> <subject>
// <changes>`. Ends after so many changes.

#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>

#include "grpcpp/grpcpp.h"
#include "tickmesh/api/registry/v1/schema_registry_service.grpc.pb.h"

namespace registry = tickmesh::api::registry::v1;

namespace {

int Fail(const grpc::Status &status) {
  std::cerr << "code " << status.error_code() << ": " << status.error_message()
            << std::endl;
  return EXIT_FAILURE;
}

} // namespace

int main(int argc, char **argv) {
  if (argc != 4) {
    std::cerr << "usage: plain_client <host:port> <subject> <changes>"
              << std::endl;
    return EXIT_FAILURE;
  }
  const std::string subject = argv[2];
  const auto stub = registry::SchemaRegistryService::NewStub(
      grpc::CreateChannel(argv[1], grpc::InsecureChannelCredentials()));
  const auto deadline =
      std::chrono::system_clock::now() + std::chrono::seconds(60);

  registry::GetSchemaRequest request;
  request.mutable_subject()->set_subject(subject);
  request.mutable_subject()->mutable_latest();
  registry::GetSchemaResponse response;
  grpc::ClientContext call;
  call.set_deadline(deadline);
  const grpc::Status got = stub->GetSchema(&call, request, &response);
  if (!got.ok())
    return Fail(got);
  std::cout << "got " << response.schema().subject() << " "
            << response.schema().version() << " " << response.schema().text()
            << std::endl;

  registry::WatchRequest watch;
  watch.mutable_filter()->add_subjects(subject);
  watch.set_after_revision(response.revision());
  grpc::ClientContext stream;
  stream.set_deadline(deadline);
  const auto reader = stub->Watch(&stream, watch);
  registry::WatchResponse message;
  int left = std::atoi(argv[3]);
  while (left > 0 && reader->Read(&message)) {
    for (const registry::ChangeEvent &event : message.events()) {
      std::cout << "change " << registry::ChangeKind_Name(event.kind()) << " "
                << event.subject() << " " << event.schema().version()
                << std::endl;
      --left;
    }
  }
  if (left > 0)
    return Fail(reader->Finish());
  stream.TryCancel();
  return EXIT_SUCCESS;
}
