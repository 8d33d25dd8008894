using LookaheadKV.Text;

namespace LookaheadKV.Generation;

/// <summary>The tokens that end an answer, wherever a Hugging Face folder names them.</summary>
public static class EndTokens
{
    private static readonly string[] Files = ["config.json", "generation_config.json"];

    /// <summary>
    /// The ids of <c>eos_token_id</c> in config.json and generation_config.json, one or several in each, in order and each once. A folder
    /// may have neither file.
    /// </summary>
    /// <exception cref="InputException">A file is damaged, or its ids are not whole numbers.</exception>
    public static IReadOnlyList<int> OfFolder(string folder) =>
        [
            .. Files
                .Select(name => Path.Combine(folder, name))
                .Where(File.Exists)
                .SelectMany(path => JsonField.Read(path, "", root => Ids(root["eos_token_id"])))
                .Distinct()
                .Order(),
        ];

    private static int[] Ids(JsonField field) =>
        !field.Present ? []
        : field.IsArray ? [.. field.Items().Select(item => item.Integer())]
        : [field.Integer()];
}
