using System.Text.Json;
using LookaheadKV.Lookahead;
using LookaheadKV.Text;

namespace LookaheadKV.Cli.Common;

/// <summary>Prompts of a JSON-lines file, such as <c>lookahead tasks</c> writes, to train lookahead modules on.</summary>
internal static class TrainingExamples
{
    /// <summary>Reads all lines; texts are encoded by the model's tokenizer, which is asked for only then.</summary>
    public static IReadOnlyList<LookaheadExample> Read(string path, Func<Tokenizer> tokenizer)
    {
        var shared = new Lazy<Tokenizer>(tokenizer);
        var lines = JsonFiles.Text(path).Split('\n');
        var examples = lines
            .Index()
            .Where(line => line.Item.Trim().Length > 0)
            .Select(line => One($"{path} line {line.Index + 1}", line.Item))
            .ToList();
        return examples.Count > 0 ? examples : throw new InputException($"{path} holds no prompt; write one JSON object a line.");

        LookaheadExample One(string place, string line)
        {
            try
            {
                using var document = JsonDocument.Parse(line);
                var prompt =
                    Ids(document.RootElement, "prompt")
                    ?? throw new InputException($"{place}: neither \"prompt_ids\" nor \"prompt\" is there.");
                return new LookaheadExample(prompt, Ids(document.RootElement, "answer") ?? []);
            }
            catch (Exception e) when (e is JsonException or InvalidOperationException or FormatException)
            {
                throw new InputException($"{place}: not an object with \"prompt_ids\" (numbers) or \"prompt\" (a string).", e);
            }
        }

        int[]? Ids(JsonElement line, string name) =>
            line.TryGetProperty(name + "_ids", out var ids) ? [.. ids.EnumerateArray().Select(id => id.GetInt32())]
            : line.TryGetProperty(name, out var text) ? shared.Value.Encode(text.GetString()!)
            : null;
    }

    /// <summary>Epochs over the examples, each in an order of its own; a pure function of the step.</summary>
    public static ExampleSource Shuffled(IReadOnlyList<LookaheadExample> examples, int batch, long seed)
    {
        return step =>
        {
            var first = step * batch;
            var orders = new Dictionary<long, int[]>();
            return [.. Enumerable.Range(0, batch).Select(i => At(first + i))];

            LookaheadExample At(long place)
            {
                var (epoch, index) = Math.DivRem(place, examples.Count);
                if (!orders.TryGetValue(epoch, out var order))
                    orders.Add(epoch, order = Order(epoch));
                return examples[order[index]];
            }
        };

        int[] Order(long epoch)
        {
            var order = Enumerable.Range(0, examples.Count).ToArray();
            new Random(unchecked((int)(seed * 1_000_003 + epoch))).Shuffle(order);
            return order;
        }
    }
}
