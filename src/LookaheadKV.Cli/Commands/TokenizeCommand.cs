using System.CommandLine;
using System.Text.Json;
using LookaheadKV.Checkpoints;
using LookaheadKV.Cli.Common;
using LookaheadKV.Evaluation;
using LookaheadKV.Text;

namespace LookaheadKV.Cli.Commands;

/// <summary><c>lookahead tokenize</c>: texts to token ids.</summary>
internal sealed class TokenizeCommand : Verb
{
    private readonly Option<string> _model = ModelOptions.NewModel();
    private readonly Option<string> _texts = new("--texts") { Description = "JSON file: an array of strings.", Required = true };
    private readonly Output _out = Output.File("--out", "JSON file for the array of arrays of ids.", OwnFiles.IsArrayOfArrays);

    public TokenizeCommand()
        : base("tokenize", "Write the token ids of texts; special tokens in them are recognised, none is added.")
    {
        _out.Required = true;
        AddAll(_texts, _out, _model);
    }

    protected override bool UsesTensors => false;

    protected override Outcome Run(Call call)
    {
        var place = _out.Place(call);
        var tokenizer = Tokenizer.Load(ModelFolders.Resolve(call.Value(_model)));
        var ids = JsonFiles.Texts(call.Value(_texts)).Select(tokenizer.Encode).ToArray();
        _out.WriteText(call, JsonSerializer.Serialize(ids, JsonFiles.Options) + "\n");
        var tokens = ids.Sum(text => text.Length);
        call.Screen.Line($"{ids.Length} texts, {tokens} tokens → {place}");
        var run = RunInfo.Of(call.CommandLine, seed: 0, model: call.Value(_model));
        return new Outcome(
            run,
            new
            {
                @out = place,
                texts = ids.Length,
                tokens,
            }
        );
    }
}
