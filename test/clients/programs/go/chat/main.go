// The library of OpenAI for Go. docs/how-to/clients.md shows the parts between `snippet` and `end`.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"os"
	"time"

	// snippet: import
	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/option"
	// end
	"github.com/openai/openai-go/v3/shared"
)

func main() {
	log.SetFlags(log.Lshortfile)
	ctx := context.Background()
	// snippet: client
	client := openai.NewClient(
		option.WithBaseURL(os.Getenv("OPENAI_BASE_URL")),
		option.WithAPIKey(os.Getenv("OPENAI_API_KEY")),
	)
	// end

	models, err := client.Models.List(ctx)
	check(err)
	assert(len(models.Data) > 0, "no models")

	// snippet: chat
	completion, err := client.Chat.Completions.New(ctx, openai.ChatCompletionNewParams{
		Model:       "qwen",
		Messages:    []openai.ChatCompletionMessageParamUnion{openai.UserMessage("Say hello.")},
		MaxTokens:   openai.Int(50),
		Temperature: openai.Float(0),
	})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(completion.Choices[0].Message.Content)
	// end
	assert(completion.Usage.CompletionTokens > 0, "no usage")

	text, usage := "", int64(0)
	// snippet: stream
	stream := client.Chat.Completions.NewStreaming(ctx, openai.ChatCompletionNewParams{
		Model:         "qwen",
		Messages:      []openai.ChatCompletionMessageParamUnion{openai.UserMessage("Say hello.")},
		MaxTokens:     openai.Int(50),
		Temperature:   openai.Float(0),
		StreamOptions: openai.ChatCompletionStreamOptionsParam{IncludeUsage: openai.Bool(true)},
	})
	for stream.Next() {
		chunk := stream.Current()
		if len(chunk.Choices) > 0 {
			text += chunk.Choices[0].Delta.Content
		}
		usage = chunk.Usage.CompletionTokens // in the last chunk
	}
	if err := stream.Err(); err != nil {
		log.Fatal(err)
	}
	// end
	assert(text == completion.Choices[0].Message.Content, text)
	assert(usage == completion.Usage.CompletionTokens, "another usage in the stream")

	// snippet: tools
	tools := []openai.ChatCompletionToolUnionParam{openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{
		Name:        "get_weather",
		Strict:      openai.Bool(true), // arguments must follow the schema
		Description: openai.String("The weather of a city"),
		Parameters: shared.FunctionParameters{
			"type":                 "object",
			"properties":           map[string]any{"city": map[string]any{"type": "string", "enum": []string{"Bonn", "Oslo"}}},
			"required":             []string{"city"},
			"additionalProperties": false,
		},
	})}
	params := openai.ChatCompletionNewParams{
		Model:      "qwen",
		Messages:   []openai.ChatCompletionMessageParamUnion{openai.UserMessage("How is the weather in Bonn?")},
		Tools:      tools,
		ToolChoice: openai.ChatCompletionToolChoiceOptionUnionParam{OfAuto: openai.String("required")},
		MaxTokens:  openai.Int(200),
	}
	asked, err := client.Chat.Completions.New(ctx, params)
	if err != nil {
		log.Fatal(err)
	}
	message := asked.Choices[0].Message
	params.Messages = append(params.Messages, message.ToParam())
	for _, call := range message.ToolCalls {
		var arguments struct{ City string }
		if err := json.Unmarshal([]byte(call.Function.Arguments), &arguments); err != nil {
			log.Fatal(err)
		}
		params.Messages = append(params.Messages, openai.ToolMessage("Sunny in "+arguments.City+".", call.ID))
	}
	params.ToolChoice = openai.ChatCompletionToolChoiceOptionUnionParam{OfAuto: openai.String("none")}
	answer, err := client.Chat.Completions.New(ctx, params)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(answer.Choices[0].Message.Content)
	// end
	assert(len(params.Messages) > 2 && message.ToolCalls[0].Function.Name == "get_weather", "no call of the tool")

	ask := func(model string, options ...option.RequestOption) error {
		_, err := client.Chat.Completions.New(ctx, openai.ChatCompletionNewParams{
			Model:     model,
			Messages:  []openai.ChatCompletionMessageParamUnion{openai.UserMessage("Say hello.")},
			MaxTokens: openai.Int(5),
		}, options...)
		return err
	}
	err = ask("qwen-suspended", option.WithMaxRetries(0))
	// snippet: errors
	var failure *openai.Error
	if errors.As(err, &failure) {
		fmt.Println(failure.StatusCode, failure.Message, failure.Response.Header.Get("Retry-After"))
	}
	// end
	assert(failure != nil && failure.StatusCode == 503, "a suspended model answered")
	assert(failure.Response.Header.Get("Retry-After") == "30", "no Retry-After")
	assert(errors.As(ask("nothing"), &failure) && failure.StatusCode == 404, "a model that is not there was found")
	assert(errors.As(ask("qwen", option.WithAPIKey("wrong")), &failure) && failure.StatusCode == 401, "a wrong key was accepted")

	// The first is refused with 429 and a Retry-After of one second, the other waits until the model has started.
	check(ask("qwen-busy"))
	check(ask("qwen-asleep"))

	// snippet: patience
	patient := openai.NewClient(
		option.WithBaseURL(os.Getenv("OPENAI_BASE_URL")),
		option.WithAPIKey(os.Getenv("OPENAI_API_KEY")),
		option.WithRequestTimeout(20*time.Minute), // of each attempt; longer than admission.wakeTimeout
		option.WithMaxRetries(5),
	)
	// end
	_, err = patient.Models.List(ctx)
	check(err)
}

func check(err error) {
	if err != nil {
		log.Output(2, err.Error())
		os.Exit(1)
	}
}

func assert(holds bool, message string) {
	if !holds {
		log.Output(2, message)
		os.Exit(1)
	}
}
