module ticks-go

go 1.24.0

require (
	github.com/apache/arrow-go/v18 v18.5.2
	google.golang.org/genproto/googleapis/rpc v0.0.0-20251202230838-ff82c1b0f217
	google.golang.org/grpc v1.79.1
	google.golang.org/protobuf v1.36.11
)
