// Command ticks-go puts ticks into a tick store and gets them back with Arrow's public Go package
// alone: `ticks-go ADDRESS SUBJECT`. It prints one JSON object.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/flight"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	spb "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
)

// A nanosecond that no float64 and no microsecond holds.
const firstNanosecond = 1723161255123456789

var schema = arrow.NewSchema([]arrow.Field{
	{Name: "ts", Type: &arrow.TimestampType{Unit: arrow.Nanosecond, TimeZone: "UTC"}},
	{Name: "symbol", Type: &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}},
	{Name: "price", Type: arrow.PrimitiveTypes.Float64},
	{Name: "size", Type: arrow.PrimitiveTypes.Int64},
	{Name: "note", Type: arrow.BinaryTypes.String, Nullable: true},
}, nil)

type tick struct {
	Ts     int64   `json:"ts"`
	Symbol string  `json:"symbol"`
	Price  float64 `json:"price"`
	Size   int64   `json:"size"`
	Note   *string `json:"note"`
}

type refusal struct {
	Code     string            `json:"code"`
	Reason   string            `json:"reason"`
	Message  string            `json:"message"`
	Metadata map[string]string `json:"metadata"`
}

type answer struct {
	Sent     []tick  `json:"sent"`
	Received []tick  `json:"received"`
	Refused  refusal `json:"refused"`
}

func main() {
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(address, subject string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	client, err := flight.NewClientWithMiddleware(
		address, nil, nil, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer client.Close()
	descriptor := &flight.FlightDescriptor{Type: flight.DescriptorPATH, Path: []string{subject}}

	// The second message brings another dictionary: it replaces the first one's.
	messages := [][]tick{
		{{Ts: firstNanosecond, Symbol: "AAPL", Price: 1.5, Size: 1}, {Ts: firstNanosecond + 1, Symbol: "IBM", Price: 0.1, Size: 1 << 60}},
		{{Ts: firstNanosecond + 2, Symbol: "MSFT", Price: 3, Size: 0}, {Ts: firstNanosecond + 3, Symbol: "AAPL", Price: 1e-9, Size: 7}},
	}
	note := "from Go"
	messages[1][0].Note = &note
	var told answer
	for _, message := range messages {
		told.Sent = append(told.Sent, message...)
	}
	if err := put(ctx, client, descriptor, messages); err != nil {
		return fmt.Errorf("put: %w", err)
	}
	if told.Received, err = get(ctx, client, descriptor); err != nil {
		return fmt.Errorf("get: %w", err)
	}
	bad := [][]tick{{{Ts: 1, Symbol: "AAPL", Price: -1, Size: 1}}}
	if told.Refused, err = refused(put(ctx, client, descriptor, bad)); err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(told)
}

// put returns once everything is durable.
func put(ctx context.Context, client flight.Client, descriptor *flight.FlightDescriptor, messages [][]tick) error {
	stream, err := client.DoPut(ctx)
	if err != nil {
		return err
	}
	writer := flight.NewRecordWriter(stream, ipc.WithSchema(schema))
	writer.SetFlightDescriptor(descriptor)
	for _, message := range messages {
		batch := record(message)
		err := writer.Write(batch)
		batch.Release()
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
	}
	if err := writer.Close(); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := stream.CloseSend(); err != nil {
		return err
	}
	// Acknowledgements, then the end: a clean one means that everything is stored and synced.
	for {
		if _, err := stream.Recv(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return explained(err, stream.Trailer())
		}
	}
}

// explained reads what a refusal says: the google.rpc.Status among the trailers. Its code is the true
// one, and the call's own is what a Flight server can send: status.FromError takes that for a fault.
func explained(err error, trailer metadata.MD) error {
	told := trailer.Get("grpc-status-details-bin")
	if len(told) != 1 {
		return err // it came from the transport
	}
	var truth spb.Status
	if proto.Unmarshal([]byte(told[0]), &truth) != nil {
		return err
	}
	return status.FromProto(&truth).Err()
}

func record(ticks []tick) arrow.Record {
	builder := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer builder.Release()
	for _, each := range ticks {
		builder.Field(0).(*array.TimestampBuilder).Append(arrow.Timestamp(each.Ts))
		if err := builder.Field(1).(*array.BinaryDictionaryBuilder).AppendString(each.Symbol); err != nil {
			panic(err)
		}
		builder.Field(2).(*array.Float64Builder).Append(each.Price)
		builder.Field(3).(*array.Int64Builder).Append(each.Size)
		if each.Note == nil {
			builder.Field(4).AppendNull()
		} else {
			builder.Field(4).(*array.StringBuilder).Append(*each.Note)
		}
	}
	return builder.NewRecord()
}

func get(ctx context.Context, client flight.Client, descriptor *flight.FlightDescriptor) ([]tick, error) {
	info, err := client.GetFlightInfo(ctx, descriptor)
	if err != nil {
		return nil, err
	}
	var ticks []tick
	for _, endpoint := range info.Endpoint {
		stream, err := client.DoGet(ctx, endpoint.Ticket)
		if err != nil {
			return nil, err
		}
		reader, err := flight.NewRecordReader(stream)
		if err != nil {
			return nil, err
		}
		for reader.Next() {
			batch := reader.Record()
			symbols := batch.Column(1).(*array.Dictionary)
			for row := 0; row < int(batch.NumRows()); row++ {
				each := tick{
					Ts:     int64(batch.Column(0).(*array.Timestamp).Value(row)),
					Symbol: symbols.Dictionary().(*array.String).Value(symbols.GetValueIndex(row)),
					Price:  batch.Column(2).(*array.Float64).Value(row),
					Size:   batch.Column(3).(*array.Int64).Value(row),
				}
				if notes := batch.Column(4).(*array.String); notes.IsValid(row) {
					note := notes.Value(row)
					each.Note = &note
				}
				ticks = append(ticks, each)
			}
		}
		err = reader.Err()
		reader.Release()
		if err != nil {
			return nil, err
		}
	}
	return ticks, nil
}

// refused takes the reason out of a refusal.
func refused(err error) (refusal, error) {
	told, ok := status.FromError(err)
	if err == nil || !ok {
		return refusal{}, fmt.Errorf("expected a refusal, got %v", err)
	}
	for _, detail := range told.Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			return refusal{told.Code().String(), info.Reason, told.Message(), info.Metadata}, nil
		}
	}
	return refusal{}, fmt.Errorf("a refusal without ErrorInfo: %w", err)
}
