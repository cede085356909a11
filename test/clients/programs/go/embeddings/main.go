// Embeddings with the library of OpenAI for Go.
package main

import (
	"context"
	"fmt"
	"log"
	"math"
	"os"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
)

func main() {
	ctx := context.Background()
	client := openai.NewClient(
		option.WithBaseURL(os.Getenv("OPENAI_BASE_URL")),
		option.WithAPIKey(os.Getenv("OPENAI_API_KEY")),
	)
	// snippet: embeddings
	result, err := client.Embeddings.New(ctx, openai.EmbeddingNewParams{
		Model: "bge-m3",
		Input: openai.EmbeddingNewParamsInputUnion{OfArrayOfStrings: []string{"first text", "second text"}},
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(len(result.Data), len(result.Data[0].Embedding))
	// end
	for _, item := range result.Data {
		sum := 0.0
		for _, value := range item.Embedding {
			sum += value * value
		}
		if math.Abs(sum-1) > 0.02 {
			log.Fatalf("not a unit vector: %f", sum)
		}
	}
	if len(result.Data) != 2 {
		log.Fatal("not two embeddings")
	}
}
