using System.CommandLine;
using LookaheadKV.Checkpoints;
using LookaheadKV.Cli.Common;
using LookaheadKV.Evaluation;
using LookaheadKV.Text;

namespace LookaheadKV.Cli.Commands;

/// <summary><c>lookahead render</c>: the prompt that a model's chat template makes of a conversation.</summary>
internal sealed class RenderCommand : Verb
{
    private const string GenerationPrompt = "add_generation_prompt";
    private readonly Option<string> _model = ModelOptions.NewModel();
    private readonly Option<string> _messages = new("--messages")
    {
        Description =
            "JSON file: an array of messages, or an object with \"messages\" and what else the template reads (\"tools\", \"documents\", …).",
        Required = true,
    };
    private readonly Option<bool> _closed = new("--no-generation-prompt") { Description = "Do not open the assistant's next turn." };
    private readonly TemplateOptions _template = new("Chat template to use instead of the model's default", takesRaw: false);

    public RenderCommand()
        : base("render", "Print the prompt that the chat template makes of a conversation.")
    {
        AddAll([_messages, _closed, .. _template.All, _model]);
    }

    protected override bool UsesTensors => false;

    protected override Outcome Run(Call call)
    {
        var model = ModelFolders.Resolve(call.Value(_model));
        var template = _template.Read(call, model, () => ChatTemplate.Of(model))!;
        var (messages, variables) = Conversation.Read(call.Value(_messages));
        var closed = call.Value(_closed);
        var text = template.Render(messages, !closed, variables.Where(v => !closed || v.Key != GenerationPrompt).ToDictionary());
        call.Screen.Line(text);
        var ids = JsonPath(call) is not null && Tokenizer.IsIn(model) ? Tokenizer.Load(model).Encode(text) : null;
        return new Outcome(RunInfo.Of(call.CommandLine, seed: 0, model: call.Value(_model)), new { text, ids });
    }
}
