using LookaheadKV.Checkpoints;
using LookaheadKV.Text;

namespace LookaheadKV.Generation;

/// <summary>The tokens that end an answer, wherever a model names them.</summary>
public static class EndTokens
{
    private static readonly string[] Files = [ModelFiles.Config, ModelFiles.GenerationConfig];

    /// <summary>
    /// The ids of <c>eos_token_id</c> in config.json and generation_config.json, one or several in each, in order and each once. A model
    /// may have neither file.
    /// </summary>
    /// <exception cref="InputException">A file is damaged, or its ids are not whole numbers.</exception>
    public static IReadOnlyList<int> Of(ModelFiles files) =>
        [.. Files.Where(files.Has).SelectMany(file => JsonField.Read(files, file, root => Ids(root["eos_token_id"]))).Distinct().Order()];

    /// <summary>The same, of the model at a path.</summary>
    public static IReadOnlyList<int> Of(string model) => Of(ModelFiles.Open(model));

    private static int[] Ids(JsonField field) =>
        !field.Present ? []
        : field.IsArray ? [.. field.Items().Select(item => item.Integer())]
        : [field.Integer()];
}
